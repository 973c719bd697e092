// node-redis against one replica. Usage: node_redis.mjs PORT PROTOCOL (2 or 3).
import assert from "node:assert/strict";
import { createClient } from "redis";

const [port, protocol] = process.argv.slice(2).map(Number);
const client = createClient({ socket: { host: "127.0.0.1", port }, RESP: protocol });
client.on("error", error => { throw error; });
await client.connect();

await client.set("n:k", "väl\r\nue");
assert.equal(await client.get("n:k"), "väl\r\nue");
assert.equal(await client.get("n:none"), null);
assert.equal(await client.set("n:k", "x", { NX: true }), null);
await client.set("n:end", "soon", { EX: 100 });
assert.ok(await client.ttl("n:end") > 90);
assert.equal(await client.incrBy("n:n", 7), 7);
assert.equal(await client.hSet("n:h", { a: "1", b: "2" }), 2);
assert.deepEqual({ ...await client.hGetAll("n:h") }, { a: "1", b: "2" });
assert.equal(await client.sAdd("n:s", ["x", "y", "x"]), 2);
assert.deepEqual([...await client.sMembers("n:s")].sort(), ["x", "y"]);
await client.zAdd("n:z", [{ score: 1.5, value: "a" }, { score: 2, value: "b" }]);
assert.deepEqual((await client.zRangeWithScores("n:z", 0, -1)).map(member => ({ ...member })),
                 [{ score: 1.5, value: "a" }, { score: 2, value: "b" }]);
await client.rPush("n:l", ["1", "2", "3"]);
assert.deepEqual(await client.lRange("n:l", 0, -1), ["1", "2", "3"]);
await assert.rejects(client.lPush("n:k", "x"), /WRONGTYPE/);

// Requests of one turn are pipelined.
const counts = await Promise.all(Array.from({ length: 2000 }, () => client.incr("n:many")));
assert.deepEqual(counts, Array.from({ length: 2000 }, (_, index) => index + 1));
assert.deepEqual(await client.multi().incr("n:n").get("n:k").exec(), [8, "väl\r\nue"]);

const found = new Set();
for await (const keys of client.scanIterator({ MATCH: "n:*" })) {
  for (const key of [keys].flat()) found.add(key);  // one by one before version 5
}
assert.equal(found.size, 8);

const subscriber = client.duplicate();
subscriber.on("error", error => { throw error; });
await subscriber.connect();
const heard = new Promise(resolve => subscriber.subscribe("n:news", resolve).then(
  () => client.publish("n:news", "hello")));
assert.equal(await heard, "hello");
await subscriber.unsubscribe("n:news");
const waiting = client.duplicate();
waiting.on("error", error => { throw error; });
await waiting.connect();
const popped = waiting.blPop("n:queue", 20);
await client.rPush("n:queue", "job");
assert.deepEqual({ ...await popped }, { key: "n:queue", element: "job" });
await Promise.all([subscriber.quit(), waiting.quit(), client.quit()]);
