// Yjs and Automerge on the work of tests/bench/text_bench.cpp. One measurement a process, printed as
// one line of JSON. Times are milliseconds, of the fastest of several runs; memory is bytes.
//   node --expose-gc peers.mjs type LIBRARY TRACE.json.gz RUNS
//   node --expose-gc peers.mjs record LIBRARY TRACE.json.gz COPIES EVENTS.bin
//   node --expose-gc peers.mjs merge LIBRARY EVENTS.bin RUNS
import * as fs from "node:fs";
import * as zlib from "node:zlib";
import * as Automerge from "@automerge/automerge";
import * as Y from "yjs";

// A library: documents with one text, edits of which each gives the bytes that travel.
const libraries = {
    yjs: {
        create(agent) {
            const doc = new Y.Doc();
            doc.clientID = agent + 1;
            return { doc, text: doc.getText("text"), updates: null };
        },
        edit(replica, patches, offset) {
            replica.doc.transact(() => {
                for (const [position, erased, inserted] of patches) {
                    if (erased > 0) replica.text.delete(position + offset, erased);
                    if (inserted !== "") replica.text.insert(position + offset, inserted);
                }
            });
        },
        listen(replica) {
            replica.updates = [];
            replica.doc.on("update", (bytes, origin) => {
                if (origin !== "remote") replica.updates.push(bytes);
            });
        },
        lastUpdate: (replica) => replica.updates.pop(),
        /// Bytes of one update for each transaction. Listening costs time: another replica does it.
        wireBytes(_, txns) {
            const sender = libraries.yjs.create(0);
            libraries.yjs.listen(sender);
            for (const txn of txns) libraries.yjs.edit(sender, txn.patches, 0);
            return totalLength(sender.updates);
        },
        applyAll(replica, updates) {
            for (const bytes of updates) Y.applyUpdate(replica.doc, bytes, "remote");
        },
        text: (replica) => replica.text.toString(),
        length: (replica) => replica.text.length,
        save: (replica) => Y.encodeStateAsUpdate(replica.doc),
        load(bytes) {
            const replica = libraries.yjs.create(1000);
            Y.applyUpdate(replica.doc, bytes);
            return replica;
        },
    },
    automerge: {
        create(agent) {
            const actor = (agent + 1).toString(16).padStart(32, "0");
            return { doc: Automerge.clone(automergeBase(), { actor }) };
        },
        edit(replica, patches, offset) {
            replica.doc = Automerge.change(replica.doc, { time: 0 }, (draft) => {
                for (const [position, erased, inserted] of patches) {
                    Automerge.splice(draft, ["text"], position + offset, erased, inserted);
                }
            });
        },
        listen() {},
        lastUpdate: (replica) => Automerge.getLastLocalChange(replica.doc),
        /// The first change is the one that all replicas begin with.
        wireBytes: (replica) => totalLength(Automerge.getAllChanges(replica.doc).slice(1)),
        applyAll(replica, updates) {
            [replica.doc] = Automerge.applyChanges(replica.doc, updates);
        },
        text: (replica) => replica.doc.text,
        length: (replica) => replica.doc.text.length,
        save: (replica) => Automerge.save(replica.doc),
        load: (bytes) => ({ doc: Automerge.load(bytes) }),
    },
};

let automergeRoot = null;
/// The document with an empty text that all replicas begin with.
function automergeBase() {
    automergeRoot ??= Automerge.change(Automerge.init({ actor: "00" }), { time: 0 }, (draft) => {
        draft.text = "";
    });
    return automergeRoot;
}

function readTrace(path) {
    return JSON.parse(zlib.gunzipSync(fs.readFileSync(path)).toString());
}

function require(right, what) {
    if (right) return;
    console.error(`WRONG: ${what}`);
    process.exit(1);
}

/// Of the JavaScript heap and what it holds outside, WebAssembly's memory among it.
function memoryBytes() {
    for (let i = 0; i < 3; ++i) globalThis.gc();
    const usage = process.memoryUsage();
    return usage.heapUsed + usage.external;
}

const totalLength = (pieces) => pieces.reduce((sum, bytes) => sum + bytes.length, 0);

/// How much more memory than at first the process has had at its peak, garbage included.
function peakGrowth(rssBefore) {
    return process.resourceUsage().maxRSS * 1024 - rssBefore;
}

function fastest(runs, work) {
    let best = Infinity;
    let result = null;
    for (let run = 0; run < runs; ++run) {
        result = null;
        const start = performance.now();
        result = work();
        best = Math.min(best, performance.now() - start);
    }
    return [best, result];
}

function type(library, path, runs) {
    const trace = readTrace(path);
    const before = memoryBytes();
    const [typed, replica] = fastest(runs, () => {
        const fresh = library.create(0);
        for (const txn of trace.txns) library.edit(fresh, txn.patches, 0);
        return fresh;
    });
    const memory = memoryBytes() - before;
    require(library.text(replica) === trace.endContent, "the text that was typed");
    const [encode, bytes] = fastest(runs, () => library.save(replica));
    const [load, loaded] = fastest(runs, () => library.load(bytes));
    require(library.text(loaded) === trace.endContent, "the text that was loaded");

    const wire = library.wireBytes(replica, trace.txns) / trace.txns.length;
    return { typed, memory, document: bytes.length, encode, load, wire };
}

/// The events of a trace, with one replica for each agent, copy after copy: each one is edited behind
/// the text of those before it. An agent has seen what a transaction's parents have, and no more.
class Recorder {
    constructor(library, trace) {
        this.library = library;
        this.trace = trace;
        this.replicas = [];
        for (let agent = 0; agent < (trace.numAgents ?? 1); ++agent) {
            const replica = library.create(agent);
            library.listen(replica);
            this.replicas.push(replica);
        }
        this.seen = this.replicas.map(() => this.replicas.map(() => 0));
        this.events = []; // {agent, counter, bytes}
        this.pasts = [];
        this.last = 0;
    }

    record(copies) {
        for (let copy = 0; copy < copies; ++copy) {
            this.recordCopy(this.library.length(this.replicas[this.last]));
            console.error(`    copy ${copy + 1} of ${copies}`);
        }
        return this.events.map((event) => event.bytes);
    }

    recordCopy(offset) {
        const base = this.pasts.length;
        this.trace.txns.forEach((txn, index) => {
            const agent = txn.agent ?? 0;
            const parents = txn.parents ?? (index > 0 ? [index - 1] : []);
            let past = this.replicas.map(() => 0);
            if (parents.length === 0 && base > 0) past = [...this.pasts[base - 1]];
            for (const parent of parents) {
                past = past.map((count, other) =>
                    Math.max(count, this.pasts[base + parent][other]));
            }
            this.deliver(agent, past);
            this.library.edit(this.replicas[agent], txn.patches, offset);
            const bytes = this.library.lastUpdate(this.replicas[agent]);
            past[agent] += 1;
            this.seen[agent] = past;
            this.pasts.push(past);
            this.events.push({ agent, counter: past[agent], bytes });
            this.last = agent;
        });
    }

    deliver(agent, past) {
        const seen = this.seen[agent];
        let missing = past.reduce((sum, count, other) =>
            sum + count - Math.min(count, seen[other]), 0);
        const wanted = (event) =>
            event.counter <= past[event.agent] && event.counter > seen[event.agent];
        let first = this.events.length;
        while (missing > 0) {
            if (wanted(this.events[--first])) --missing;
        }
        const updates = this.events.slice(first).filter(wanted).map((event) => event.bytes);
        if (updates.length > 0) this.library.applyAll(this.replicas[agent], updates);
    }
}

/// Each event as its length (4 bytes) and its bytes; first of all the text they lead to.
function record(library, path, copies, out) {
    const recorder = new Recorder(library, readTrace(path));
    const events = recorder.record(copies);
    const end = Buffer.from(library.text(recorder.replicas[recorder.last]));
    const pieces = [];
    for (const bytes of [end, ...events]) {
        const length = Buffer.alloc(4);
        length.writeUInt32BE(bytes.length);
        pieces.push(length, bytes);
    }
    fs.writeFileSync(out, Buffer.concat(pieces));
    return { events: events.length };
}

function readEvents(path) {
    const whole = fs.readFileSync(path);
    const pieces = [];
    for (let at = 0; at < whole.length; ) {
        const end = at + 4 + whole.readUInt32BE(at);
        pieces.push(new Uint8Array(whole.subarray(at + 4, end)));
        at = end;
    }
    return { end: Buffer.from(pieces[0]).toString(), events: pieces.slice(1) };
}

function merge(library, path, runs) {
    const { end, events } = readEvents(path);
    const before = memoryBytes();
    const rssBefore = process.memoryUsage.rss();
    let peak = null;
    const [apply, replica] = fastest(runs, () => {
        const fresh = library.create(999);
        library.applyAll(fresh, events);
        peak ??= peakGrowth(rssBefore);
        return fresh;
    });
    const memory = memoryBytes() - before;
    require(library.text(replica) === end, "the text that was merged");
    const bytes = library.save(replica);
    const [load, loaded] = fastest(runs, () => library.load(bytes));
    require(library.text(loaded) === end, "the text that was loaded");
    const wire = totalLength(events) / events.length;
    return { events: events.length, apply, peak, memory, document: bytes.length, load, wire };
}

const [mode, name, path, ...rest] = process.argv.slice(2);
const library = libraries[name];
const result =
    mode === "type" ? type(library, path, Number(rest[0]))
    : mode === "record" ? record(library, path, Number(rest[0]), rest[1])
    : merge(library, path, Number(rest[0]));
console.log(JSON.stringify(result));
