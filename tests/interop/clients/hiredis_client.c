/* Debian's hiredis against one replica: what its users do, and what must come back.
 * Usage: hiredis_client PORT. Exit code 1 and a line on standard error when something differs. */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static redisContext* connection;

static void fail(const char* step, const redisReply* reply) {
    fprintf(stderr, "%s: type %d, %lld, %s (%s)\n", step, reply ? reply->type : 0,
            reply ? reply->integer : 0, reply && reply->str ? reply->str : "-",
            connection->errstr);
    exit(1);
}

static void expect_text(const char* step, redisReply* reply, int type, const char* text) {
    if (!reply || reply->type != type || strcmp(reply->str, text) != 0) fail(step, reply);
    freeReplyObject(reply);
}

static void expect_integer(const char* step, redisReply* reply, long long value) {
    if (!reply || reply->type != REDIS_REPLY_INTEGER || reply->integer != value) fail(step, reply);
    freeReplyObject(reply);
}

static redisReply* next_reply(void) {
    void* reply = NULL;
    if (redisGetReply(connection, &reply) != REDIS_OK) fail("redisGetReply", NULL);
    return reply;
}

static void single_commands(void) {
    const char binary[] = "a\0b\r\n";
    expect_text("SET", redisCommand(connection, "SET %s %b", "c:k", binary, sizeof binary - 1),
                REDIS_REPLY_STATUS, "OK");
    redisReply* reply = redisCommand(connection, "GET c:k");
    if (!reply || reply->len != sizeof binary - 1 || memcmp(reply->str, binary, reply->len) != 0) {
        fail("GET", reply);
    }
    freeReplyObject(reply);
    reply = redisCommand(connection, "GET c:none");
    if (!reply || reply->type != REDIS_REPLY_NIL) fail("GET of nothing", reply);
    freeReplyObject(reply);
    reply = redisCommand(connection, "LPUSH c:k x");
    if (!reply || reply->type != REDIS_REPLY_ERROR || strncmp(reply->str, "WRONGTYPE", 9) != 0) {
        fail("LPUSH on a string", reply);
    }
    freeReplyObject(reply);
    expect_integer("HSET", redisCommand(connection, "HSET c:h a 1 b 2"), 2);
    reply = redisCommand(connection, "HMGET c:h a none b");
    if (!reply || reply->type != REDIS_REPLY_ARRAY || reply->elements != 3 ||
        strcmp(reply->element[0]->str, "1") != 0 || reply->element[1]->type != REDIS_REPLY_NIL ||
        strcmp(reply->element[2]->str, "2") != 0) {
        fail("HMGET", reply);
    }
    freeReplyObject(reply);
}

static void pipeline(void) {
    enum { count = 10000 };
    for (int i = 0; i < count; ++i) redisAppendCommand(connection, "INCR c:n");
    for (int i = 0; i < count; ++i) expect_integer("INCR", next_reply(), i + 1);
}

static void transaction(void) {
    redisAppendCommand(connection, "MULTI");
    redisAppendCommand(connection, "INCRBY c:n 5");
    redisAppendCommand(connection, "RPUSH c:l x y");
    redisAppendCommand(connection, "EXEC");
    expect_text("MULTI", next_reply(), REDIS_REPLY_STATUS, "OK");
    expect_text("queued", next_reply(), REDIS_REPLY_STATUS, "QUEUED");
    expect_text("queued", next_reply(), REDIS_REPLY_STATUS, "QUEUED");
    redisReply* reply = next_reply();
    if (!reply || reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        reply->element[0]->integer != 10005 || reply->element[1]->integer != 2) {
        fail("EXEC", reply);
    }
    freeReplyObject(reply);
}

static void subscription(int port) {
    redisReply* reply = redisCommand(connection, "SUBSCRIBE c:news");
    if (!reply || reply->elements != 3 || strcmp(reply->element[0]->str, "subscribe") != 0) {
        fail("SUBSCRIBE", reply);
    }
    freeReplyObject(reply);
    redisContext* publisher = redisConnect("127.0.0.1", port);
    if (!publisher || publisher->err) fail("second connection", NULL);
    reply = redisCommand(publisher, "PUBLISH c:news hello");
    if (!reply || reply->integer != 1) fail("PUBLISH", reply);
    freeReplyObject(reply);
    redisFree(publisher);
    reply = next_reply();
    if (!reply || reply->elements != 3 || strcmp(reply->element[0]->str, "message") != 0 ||
        strcmp(reply->element[2]->str, "hello") != 0) {
        fail("message", reply);
    }
    freeReplyObject(reply);
}

int main(int argc, char** argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: hiredis_client PORT\n");
        return 2;
    }
    const int port = atoi(argv[1]);
    const struct timeval patience = {30, 0};
    connection = redisConnectWithTimeout("127.0.0.1", port, patience);
    if (!connection || connection->err) {
        fprintf(stderr, "connect: %s\n", connection ? connection->errstr : "no memory");
        return 1;
    }
    redisSetTimeout(connection, patience);
    single_commands();
    pipeline();
    transaction();
    subscription(port);
    redisFree(connection);
    return 0;
}
