/* SPDX-License-Identifier: MIT */
/*
 * server_list.h - the lists in which a server keeps its clients: intrusive, doubly linked, so that a
 * client that ends leaves each of them without a search. A client is in one list per link at most.
 */
#ifndef LAI_DRIVE_SERVER_LIST_H
#define LAI_DRIVE_SERVER_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct lai_list_link {
	struct lai_list_link *next, *previous; /* NULL: in no list */
};

struct lai_list {
	struct lai_list_link head; /* of a ring, also when nothing is in it */
	size_t count;
};

/* The struct of this type whose member the link is. */
#define LAI_LIST_OWNER(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))

static inline void lai_list_init(struct lai_list *list)
{
	list->head.next = list->head.previous = &list->head;
	list->count = 0;
}

static inline bool lai_list_has(const struct lai_list_link *link)
{
	return link->next != NULL;
}

/* At the end; nothing if it is in the list already. */
static inline void lai_list_add(struct lai_list *list, struct lai_list_link *link)
{
	if (lai_list_has(link))
		return;
	link->next = &list->head;
	link->previous = list->head.previous;
	link->previous->next = link;
	list->head.previous = link;
	list->count++;
}

/* Nothing if it is in no list. */
static inline void lai_list_remove(struct lai_list *list, struct lai_list_link *link)
{
	if (!lai_list_has(link))
		return;
	link->next->previous = link->previous;
	link->previous->next = link->next;
	link->next = link->previous = NULL;
	list->count--;
}

/* In the list if it belongs there, else not. */
static inline void lai_list_set(struct lai_list *list, struct lai_list_link *link, bool belongs)
{
	if (belongs)
		lai_list_add(list, link);
	else
		lai_list_remove(list, link);
}

/* NULL: nothing is in it. */
static inline struct lai_list_link *lai_list_first(const struct lai_list *list)
{
	return list->count > 0 ? list->head.next : NULL;
}

/* The one behind it, NULL: it is the last. */
static inline struct lai_list_link *lai_list_next(const struct lai_list *list,
						  const struct lai_list_link *link)
{
	return link->next == &list->head ? NULL : link->next;
}

#endif
