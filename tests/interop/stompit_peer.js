// SPDX-License-Identifier: MIT
// stompit_peer.js - what tests do with stompit, a client from npm that is not ours. NODE_PATH says where it is.
//
//	node stompit_peer.js PORT USER PASSWORD login           "connected SERVER"; exit 1: "error MESSAGE"
//	node stompit_peer.js PORT USER PASSWORD send DEST       a record for each line of input, a receipt
//	                                                        each: "confirmed N"
//	node stompit_peer.js PORT USER PASSWORD beat DEST N     idle until N heart-beats came, then a record
//
// Right behind its DISCONNECT stompit sends its FIN, and waits for the receipt on what is then half a connection.
// Everything has a deadline; past it the exit status is 3.
'use strict';
const fs = require('fs');
const stompit = require('stompit');

const DEADLINE_MS = 60000;
const BEAT_MS = 200;
const [port, login, passcode, command, destination, count] = process.argv.slice(2);

function die(status, why) {
	console.log(why);
	process.exit(status);
}
setTimeout(() => die(3, 'not in time'), DEADLINE_MS).unref();

// An ERROR that has a body also reaches whoever listens to its frame: nobody, and that is thrown.
process.on('uncaughtException', (error) => die(1, 'error ' + error.message));

function leave(client, last) {
	client.disconnect((error) => (error ? die(1, 'error ' + error.message) : console.log(last)));
}

function send(client, lines, done) {
	let receipts = 0;
	const onReceipt = () => {
		if (++receipts === lines.length) done(receipts);
	};
	for (const line of lines) client.sendString({ destination }, line, { onReceipt });
}

const commands = {
	login(client) {
		leave(client, 'connected ' + client.headers.server);
	},
	send(client) {
		const lines = fs.readFileSync(0, 'utf8').split('\n').slice(0, -1);
		send(client, lines, (receipts) => leave(client, 'confirmed ' + receipts));
	},
	beat(client) {
		let beats = 0;
		// A heart-beat is a lone newline between frames; nothing else comes while we are idle.
		client.getTransportSocket().on('data', (data) => {
			if (data.length === 1 && data[0] === 10 && ++beats === Number(count))
				send(client, ['after idling'], () => leave(client, 'beats ' + beats));
		});
	},
};

const options = {
	host: '127.0.0.1',
	port: Number(port),
	connectHeaders: { host: '/', login, passcode, 'heart-beat': command === 'beat' ? `${BEAT_MS},${BEAT_MS}` : '0,0' },
};
stompit.connect(options, (error, client) => {
	if (error) die(1, 'error ' + error.message);
	client.on('error', (late) => die(1, 'error ' + late.message));
	commands[command](client);
});
