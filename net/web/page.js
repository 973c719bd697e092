// The page: shows what the event stream tells. All that comes from the server becomes text nodes.
"use strict";

const SILENT_MS = 3500; // without an event the page says so

const byId = (id) => document.getElementById(id);

/** An element with attributes and children; strings become text. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** Puts text where it is not there already, so that screen readers hear news only. */
function say(id, text) {
  const element = byId(id);
  if (element.textContent !== text) element.textContent = text;
}

/** Bytes of a user as they come: text, {"hex": ...}, null, or a number too large for one. */
function shown(value) {
  if (value === null || value === undefined) return "none";
  if (typeof value === "object") return `0x${value.hex}`;
  return String(value);
}

/** The same bytes in a query. */
function escaped(value) {
  if (typeof value === "object") return value.hex.replace(/../g, "%$&");
  return encodeURIComponent(value);
}

function duration(ms) {
  if (ms < 1000) return `${ms} ms`;
  if (ms < 120000) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.round(ms / 60000)} min`;
}

function count(number, one, many) {
  return `${number} ${number === 1 ? one : many}`;
}

// --- Health

let reasonsShown = "";

function showHealth(health, peers) {
  byId("health").dataset.status = health.status;
  say("status", health.status);
  const up = peers.filter((peer) => peer.link === "up").length;
  const links = peers.length === 0
    ? "no peers" : `${up} of ${count(peers.length, "peer", "peers")} connected`;
  const ready = health.ready ? "The replica serves" : "The replica is not ready";
  say("summary", `${ready}, ${links}.`);
  const reasons = JSON.stringify(health.reasons);
  if (reasons === reasonsShown) return;
  reasonsShown = reasons;
  byId("reasons").replaceChildren(
    ...health.reasons.map((reason) =>
      make("li", { "data-code": reason.code }, shown(reason.text))));
}

function showFigures(status) {
  const known = !("error" in status.clock);
  const clock = status.clock;
  say("node", known ? shown(clock.node) : "");
  say("keys", known ? shown(clock.keys) : "-");
  say("rows", known ? shown(clock.rows) : "-");
  say("root", known ? String(clock.root).slice(0, 12) : "-");
  say("links", String(status.peers.filter((peer) => peer.link === "up").length));
  const own = status.matrix.nodes.length > 0 ? status.matrix.nodes[0].uuid : "";
  const lags = status.matrix.pairs.filter((pair) => pair.from_uuid === own);
  say("oldest", lags.length === 0 ? "-" : duration(Math.max(...lags.map((pair) => pair.lag_ms))));
}

// --- Matrix

function matrixCell(pair, from, to) {
  const lost = !from.connected || !to.connected;
  const lag = pair.lag_events === 0
    ? "all"
    : `${count(pair.lag_events, "event", "events")}, ${duration(pair.lag_ms)}`;
  const kind = lost ? "lost" : pair.lag_events > 0 ? "behind" : "ok";
  const words = lost ? "no link" : pair.lag_events > 0 ? "behind" : "has";
  const text = kind === "ok" ? "has all" : `${words}: ${lag}`;
  return make("td", { class: kind }, text,
    ...(to.known_ms > 1500 ? [make("small", {}, `as of ${duration(to.known_ms)} ago`)] : []));
}

function showMatrix(matrix, peers) {
  const pairs = new Map(matrix.pairs.map((pair) => [`${pair.from_uuid} ${pair.to_uuid}`, pair]));
  const head = make("tr", {}, make("th", { scope: "col" }, "replica"),
    ...matrix.nodes.map((node) => make("th", { scope: "col" }, `of ${shown(node.name)}`,
      make("small", {}, count(node.events, "event", "events")))),
    make("th", { scope: "col" }, "link to here"));
  const rows = matrix.nodes.map((to, index) => {
    const peer = peers.find((one) => one.uuid === to.uuid);
    const link = index === 0 ? "itself" : peer === undefined ? "none" : peer.link;
    return make("tr", {}, make("th", { scope: "row" }, shown(to.name)),
      ...matrix.nodes.map((from) => (from === to
        ? make("td", { class: "none" }, "its own")
        : matrixCell(pairs.get(`${from.uuid} ${to.uuid}`), from, to))),
      make("td", { class: link === "up" || index === 0 ? "none" : "lost" }, link));
  });
  const strangers = peers.filter((peer) => peer.uuid === "").map((peer) =>
    make("tr", {}, make("th", { scope: "row" }, shown(peer.address)),
      make("td", { class: "lost", colspan: String(matrix.nodes.length + 1) }, "never reached")));
  byId("matrix").replaceChildren(make("thead", {}, head), make("tbody", {}, ...rows, ...strangers));
}

// --- Conflicts

const FEED_ROWS = 20;
let feedShown = "";
let feedAsked = false;

/** Names of replicas by the first part of an actor, which stays theirs. */
function namesOf(status) {
  const names = new Map();
  const add = (actor, name) => {
    if (actor && name) names.set(String(actor).split(".")[0], shown(name));
  };
  add(status.clock.actor, status.clock.node);
  for (const peer of status.peers) add(peer.actor, peer.name);
  return names;
}

function conflictSide(title, kind, side, names) {
  const value = side.value === null
    ? side.length === null ? "" : count(side.length, "byte", "bytes")
    : shown(side.value);
  const by = names.get(side.actor.split(".")[0]) ?? side.actor;
  return make("div", { class: kind },
    make("b", {}, `${title}: ${side.action}${side.field === null ? "" : ` ${shown(side.field)}`}`),
    ...(value === "" ? [] : [make("code", {}, value)]),
    make("div", { class: "muted" }, [`by ${by}`, side.time, side.dot].filter(Boolean).join(", ")));
}

function conflictRow(record, names) {
  const key = make("button", { class: "link", type: "button" }, shown(record.key));
  key.addEventListener("click", () => {
    byId("key").value = typeof record.key === "object" ? "" : record.key;
    explain(record.key);
  });
  return make("li", { "data-id": record.id },
    make("div", { class: "line" }, key,
      ...(record.field === null ? [] : [make("code", {}, shown(record.field))]),
      make("span", { class: "muted" }, `${record.kind}, first seen here ${record.first_seen}`)),
    make("div", { class: "versus" },
      conflictSide("winner", "side won", record.winner, names),
      conflictSide("loser", "side", record.loser, names)),
    make("div", { class: "muted" }, record.rule));
}

/** The newest of the ring come with each status; the rows are fetched when there are others. */
async function showConflicts(status) {
  const newest = status.conflicts;
  if ("error" in newest) return;
  const names = namesOf(status);
  const state = JSON.stringify([newest.last, [...names]]);
  if (state === feedShown || feedAsked) return;
  feedAsked = true;
  try {
    const response = await fetch(`/api/conflicts?rev&count=${FEED_ROWS}`);
    const feed = await response.json();
    if ("error" in feed) return;
    const rows = feed.conflicts.map((record) => conflictRow(record, names));
    const recorded = `${count(Number(feed.recorded), "conflict", "conflicts")} on record here`;
    const dropped = Number(feed.dropped) > 0 ? `, ${feed.dropped} of them dropped since` : "";
    const newestOf = rows.length < Number(feed.recorded)
      ? `, the newest ${rows.length} below` : "";
    say("recorded", rows.length === 0 && dropped === "" ? "None: nobody wrote concurrently."
      : `${recorded}${dropped}${newestOf}.`);
    byId("conflicts").replaceChildren(...rows);
    feedShown = state;
  } catch {
    // The next status asks again.
  } finally {
    feedAsked = false;
  }
}

// --- Keys

function explainDot(dot) {
  const attributes = { class: dot.winner ? "side won" : "side" };
  const member = dot.negative ? "removal" : "add";
  const title = dot.winner === undefined ? member : dot.winner ? "seen" : "beside it";
  return make("div", attributes, make("b", {}, title),
    ...("value" in dot ? [make("code", {}, shown(dot.value))] : []),
    make("div", { class: "muted" }, [dot.dot, dot.time].filter(Boolean).join(", ")));
}

function addsShown(part) {
  if (part.adds_decimal === "0") return shown(part.adds);
  return part.adds === 0 ? part.adds_decimal : `${shown(part.adds)} and ${part.adds_decimal}`;
}

function explainCell(cell) {
  const name = cell.field === null ? cell.type : `${cell.type} ${shown(cell.field)}`;
  return make("div", { class: "cell" },
    make("div", { class: "line" }, make("b", {}, name),
      ...(cell.value === null ? [] : [make("code", {}, shown(cell.value))]),
      make("span", { class: "muted" }, shown(cell.why))),
    make("div", { class: "versus" }, ...cell.dots.map(explainDot),
      ...cell.counter.map((part) => make("div", { class: "side" }, make("b", {}, "counter part"),
        make("code", {}, addsShown(part)), make("div", { class: "muted" }, shown(part.actor))))));
}

let asked = 0;

async function explain(key) {
  const turn = ++asked;
  let nodes;
  try {
    const response = await fetch(`/api/key?key=${escaped(key)}`);
    const answer = await response.json();
    if (answer === null) {
      nodes = [make("p", {}, "There is no such key.")];
    } else if ("error" in answer) {
      nodes = [make("p", {}, shown(answer.error))];
    } else {
      const more = answer.cells_omitted > 0
        ? [make("p", { class: "muted" }, `${answer.cells_omitted} more cells are not shown.`)] : [];
      nodes = [...answer.cells.map(explainCell), ...more];
    }
  } catch {
    nodes = [make("p", {}, "The replica does not answer.")];
  }
  if (turn === asked) byId("answer").replaceChildren(...nodes);
}

byId("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  explain(byId("key").value);
});

// --- Live

let heardAt = 0;

function showStatus(status) {
  heardAt = Date.now();
  say("live", "live");
  showHealth(status.health, status.peers);
  showFigures(status);
  showMatrix(status.matrix, status.peers);
  showConflicts(status);
}

/** A browser tries again by itself, but not after an answer that refuses it. */
function sayWhyNotLive() {
  const refused = source.readyState === EventSource.CLOSED;
  say("live", refused ? "refused: reload the page to log in" : "not connected, trying again");
}

function showSilence() {
  sayWhyNotLive();
  byId("health").dataset.status = "silent";
  say("status", "silent");
  say("summary", "The replica does not answer; what follows is old.");
}

const source = new EventSource("/api/events");
source.addEventListener("status", (event) => showStatus(JSON.parse(event.data)));
setInterval(() => {
  if (heardAt > 0 && Date.now() - heardAt > SILENT_MS) showSilence();
}, 500);
source.addEventListener("error", () => {
  if (heardAt === 0 || source.readyState === EventSource.CLOSED) sayWhyNotLive();
});
