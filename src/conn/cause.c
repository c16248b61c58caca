/* SPDX-License-Identifier: MIT */
#include "conn/cause.h"
#include "base/view.h"

#include <errno.h>

struct naming {
	const char *name, *sentence;
};

static const struct naming causes[] = {
#define X(id, name, sentence) {name, sentence},
	LA_CAUSES(X)
#undef X
};

static const struct naming aftermaths[] = {
#define X(id, name, sentence) {name, sentence},
	LA_AFTERMATHS(X)
#undef X
};

static const char *const proofs[] = {
#define X(id, name) name,
	LA_PROOFS(X)
#undef X
};

static const char *const sides[LA_SIDE_COUNT] = {"nobody", "us", "peer"};

/* RFC 9293, section 3.3.2, written as Linux tools do. */
static const char *const tcp_states[LAI_TCP_COUNT] = {
	"NONE",	  "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT",
	"CLOSED", "CLOSE_WAIT",	 "LAST_ACK", "LISTEN",	 "CLOSING",   "SYN_RECV",  "BOUND"};

const char *la_cause_name(enum la_cause cause)
{
	return (unsigned)cause < LA_CAUSE_COUNT ? causes[cause].name : "?";
}

const char *la_cause_sentence(enum la_cause cause)
{
	return (unsigned)cause < LA_CAUSE_COUNT ? causes[cause].sentence : "?";
}

const char *la_proof_name(enum la_proof proof)
{
	return (unsigned)proof < LA_PROOF_COUNT ? proofs[proof] : "?";
}

const char *la_side_name(enum la_side side)
{
	return (unsigned)side < LA_SIDE_COUNT ? sides[side] : "?";
}

const char *la_aftermath_name(enum la_aftermath aftermath)
{
	return (unsigned)aftermath < LA_AFTERMATH_COUNT ? aftermaths[aftermath].name : "?";
}

const char *la_aftermath_sentence(enum la_aftermath aftermath)
{
	return (unsigned)aftermath < LA_AFTERMATH_COUNT ? aftermaths[aftermath].sentence : "?";
}

const char *la_tcp_state_name(uint32_t tcp_state)
{
	return tcp_state < LAI_TCP_COUNT ? tcp_states[tcp_state] : "?";
}

/*
 * connect() says EADDRNOTAVAIL of a four-tuple in use if the port was chosen, and when no ephemeral
 * port is free; bind() says it of an address that is not this host's.
 */
static enum la_cause not_available(bool chosen_port, bool chosen_address)
{
	if (chosen_port)
		return LA_CAUSE_TUPLE_IN_USE;
	return chosen_address ? LA_CAUSE_ADDRESS_LOST : LA_CAUSE_LOCAL_LIMIT;
}

enum la_cause lai_cause_of_attempt(int error, bool chosen_port, bool chosen_address)
{
	switch (error) {
	case ECONNREFUSED:
	case ECONNRESET: return LA_CAUSE_CONNECT_REFUSED;
	case ETIMEDOUT: return LA_CAUSE_CONNECT_TIMEOUT;
	case ENETUNREACH:
	case EHOSTUNREACH:
	case ENETDOWN:
	case EHOSTDOWN:
	case ENONET: return LA_CAUSE_UNREACHABLE;
	case EACCES:
	case EPERM: return LA_CAUSE_DENIED;
	case EADDRINUSE: return LA_CAUSE_PORT_IN_USE;
	case EADDRNOTAVAIL: return not_available(chosen_port, chosen_address);
	/* What io says of an address or an interface that this host does not have. */
	case ENODEV: return LA_CAUSE_ADDRESS_LOST;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
	case EAGAIN: return LA_CAUSE_LOCAL_LIMIT;
	case EPROTO: return LA_CAUSE_TLS_FAILED;
	case EKEYREJECTED: return LA_CAUSE_CERTIFICATE_REFUSED;
	default: return LA_CAUSE_LOCAL_ERROR;
	}
}

enum la_cause lai_cause_of_error(int error)
{
	switch (error) {
	/* EPIPE: the RST came after the peer's FIN, or its ECONNRESET was fetched before. */
	case ECONNRESET:
	case EPIPE: return LA_CAUSE_PEER_RESET;
	case ETIMEDOUT: return LA_CAUSE_SILENT_IDLE;
	case ENETUNREACH:
	case EHOSTUNREACH:
	case ENETDOWN:
	case EHOSTDOWN: return LA_CAUSE_ROUTE_LOST;
	case EADDRNOTAVAIL: return LA_CAUSE_ADDRESS_LOST;
	case EACCES:
	case EPERM: return LA_CAUSE_DENIED;
	case ENOBUFS:
	case ENOMEM: return LA_CAUSE_LOCAL_LIMIT;
	case EPROTO: return LA_CAUSE_TLS_FAILED;
	case EKEYREJECTED: return LA_CAUSE_CERTIFICATE_REFUSED;
	default: return LA_CAUSE_LOCAL_ERROR;
	}
}

bool lai_cause_is_soft(int error, uint32_t tcp_state)
{
	enum la_cause cause = lai_cause_of_error(error);

	return tcp_state != LAI_TCP_CLOSE &&
	       (cause == LA_CAUSE_ROUTE_LOST || cause == LA_CAUSE_ADDRESS_LOST);
}

bool lai_cause_is_silence(enum la_cause cause)
{
	switch (cause) {
	case LA_CAUSE_SILENT_IDLE:
	case LA_CAUSE_SILENT_BUSY:
	case LA_CAUSE_LOST_IN_SUSPEND:
	case LA_CAUSE_ROUTE_LOST:
	case LA_CAUSE_ADDRESS_LOST: return true;
	default: return false;
	}
}
