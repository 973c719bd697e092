// ioredis against one replica. Usage: ioredis.mjs PORT PROTOCOL (2 or 3; before version 6 always 2).
import assert from "node:assert/strict";
import { Redis } from "ioredis";

const [port, protocol] = process.argv.slice(2).map(Number);
const options = { host: "127.0.0.1", port, protocol, maxRetriesPerRequest: 0 };
const client = new Redis(options);

await client.set("i:k", "väl\r\nue");
assert.equal(await client.get("i:k"), "väl\r\nue");
assert.deepEqual(await client.getBuffer("i:k"), Buffer.from("väl\r\nue"));
assert.equal(await client.get("i:none"), null);
assert.equal(await client.set("i:k", "x", "NX"), null);
assert.equal(await client.incrby("i:n", 7), 7);
assert.equal(await client.hset("i:h", { a: "1", b: "2" }), 2);
assert.deepEqual({ ...await client.hgetall("i:h") }, { a: "1", b: "2" });
assert.equal(await client.sadd("i:s", "x", "y", "x"), 2);
assert.equal(await client.zadd("i:z", 1.5, "a", 2, "b"), 2);
assert.deepEqual((await client.zrange("i:z", 0, -1, "WITHSCORES")).flat().map(String),
                 ["a", "1.5", "b", "2"]);
assert.equal(await client.rpush("i:l", "1", "2", "3"), 3);
assert.deepEqual(await client.lrange("i:l", 0, -1), ["1", "2", "3"]);
await assert.rejects(client.lpush("i:k", "x"), /WRONGTYPE/);

const pipeline = client.pipeline();
for (let index = 0; index < 2000; ++index) pipeline.incr("i:many");
assert.deepEqual(await pipeline.exec(),
                 Array.from({ length: 2000 }, (_, index) => [null, index + 1]));
assert.deepEqual(await client.multi().incr("i:n").get("i:k").exec(),
                 [[null, 8], [null, "väl\r\nue"]]);

const found = new Set();
for await (const keys of client.scanStream({ match: "i:*" })) {
  for (const key of keys) found.add(key);
}
assert.equal(found.size, 7);

const subscriber = new Redis(options);
await subscriber.subscribe("i:news");
const heard = new Promise(resolve => subscriber.on("message", (_, text) => resolve(text)));
await client.publish("i:news", "hello");
assert.equal(await heard, "hello");
await subscriber.unsubscribe("i:news");
const popped = subscriber.blpop("i:queue", 20);
await client.rpush("i:queue", "job");
assert.deepEqual(await popped, ["i:queue", "job"]);
await Promise.all([subscriber.quit(), client.quit()]);
