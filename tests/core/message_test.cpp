#include "core/protocol/message.hpp"

#include <boost/test/unit_test.hpp>

#include "core/engine/event.hpp"

namespace syncline {
namespace {

const Actor ann{0x11223344, 1};
const Actor bob{7, 2};

VersionVector some_vv() {
    VersionVector vv;
    vv.add(Dot{ann, 300});
    vv.add(Dot{bob, 5});
    return vv;
}

Uuid some_uuid(std::uint8_t first) {
    Uuid uuid;
    uuid.bytes[0] = first;
    uuid.bytes[15] = 0xee;
    return uuid;
}

Term some_term() {
    return Term{TermId{3, some_uuid(5)}, some_vv()};
}

caspaxos::Ballot some_ballot() {
    return caspaxos::Ballot{9, some_uuid(6), 0x1122334455667788};
}

MembershipRecord some_record() {
    MembershipRecord record;
    record.epoch = 4;
    record.members = {{some_uuid(1), "ann", "127.0.0.1:7379", MemberState::active},
                      {some_uuid(2), "bob", "", MemberState::joining}};
    record.formers = {{some_uuid(3), "cat", true, std::nullopt},
                      {some_uuid(4), "dan", false, some_vv()}};
    return record;
}

MembershipRecord next_record() {
    MembershipStep step;
    step.kind = MembershipStep::Kind::activate;
    step.subject = some_record().members[1];
    return apply_step(some_record(), step).value();
}

/// One message of each type, with every member set.
std::vector<Message> samples() {
    const Hlc hlc = Hlc::at_ms(1'700'000'000'000);
    KeyPolicies policies;
    BOOST_REQUIRE(policies.add("=add-wins") && policies.add("blocked:=remove-wins"));
    const LeafSum root{Hash128{0x0123456789abcdef, 0xfedcba9876543210}, 70000};
    return {
        Hello{protocol_version,
              protocol_version_oldest,
              some_uuid(1),
              some_uuid(2),
              ann,
              some_vv(),
              99,
              4096,
              some_vv(),
              16,
              ReplicationMode::primary_backup,
              some_term(),
              "ann",
              "127.0.0.1:7379",
              3,
              some_vv(),
              policies,
              true,
              1000,
              120000,
              4,
              true},
        Pull{3, 99, 4096},
        LogBatch{some_term().id, 3, 4096, 5000, {{1, "event bytes"}, {2, "barrier bytes"}}},
        Ack{TermId{}, 3, 5000, some_vv(), true, some_vv(), root.sum, root.count, hlc},
        SyncNeeded{3, 4096, some_vv()},
        TermNotice{some_term()},
        VoteRequest{some_term()},
        Vote{some_term().id, true},
        SessionOpen{0xaabbccddeeff0011, 2, some_vv(), 0x1122334455},
        SessionOpened{17,
                      SessionOpened::Verdict::descend,
                      some_vv(),
                      some_vv(),
                      hlc,
                      root,
                      8192,
                      {1, 2, 3, 0xffffffffff}},
        SessionLevel{17, 1, {0x1, 0x9, 0xf}, {0, 1, 2, 0, 1, 2, 0}, {5, 6, 7, 8, 9, 10, 11, 12}},
        SessionLevel{17, 1, {0x8001}, {0, 1}, std::vector<std::uint64_t>(16, 0xabcdef)},
        SessionTagsRequest{17, 2, 1000},
        SessionTags{17, 2, 1000, {{1, 2, 0xffffffff}, {}, {4}}},
        SessionRowsRequest{17, 3, false, {0, 5, 700}},
        SessionRows{17, 3, true, {{"12345678key", "value"}, {"12345678kez", ""}}},
        SessionClose{17},
        CopyOpen{99},
        CopyOpened{99, true, "manifest"},
        CopyNext{99, 8},
        CopyPiece{99, 7, true, {"block", "another"}},
        CopyEnd{99, "manifest"},
        Ack{TermId{}, 3, 5000, some_vv(), true, some_vv(), root.sum, root.count, hlc, 4},
        MembershipNotice{some_record()},
        Prepare{some_ballot(), 4},
        Promise{some_ballot(), true, 4, some_ballot(), some_ballot(), "record"},
        Promise{some_ballot(), false, 4, some_ballot(), {}, {}},
        Accept{some_ballot(), some_record(), next_record()},
        Accepted{some_ballot(), false, 4, some_ballot(), "a replica was left out"},
        Publication{some_uuid(2), 0x1122334455667788, 3, 64, true, "news", "it rains"},
    };
}

std::uint8_t type_of(const Message& message) {
    return static_cast<std::uint8_t>(message_type(message));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(message)

BOOST_AUTO_TEST_CASE(every_message_comes_back_as_it_was) {
    for (const Message& sample : samples()) {
        const Result<Message> decoded = decode_message(type_of(sample), encode_message(sample));
        BOOST_TEST_CONTEXT("type " << int(type_of(sample))) {
            BOOST_REQUIRE(decoded.has_value());
            BOOST_TEST((*decoded == sample));
        }
    }
}

BOOST_AUTO_TEST_CASE(a_message_cut_anywhere_is_refused) {
    for (const Message& sample : samples()) {
        const Bytes whole = encode_message(sample);
        for (std::size_t length = 0; length < whole.size(); ++length) {
            BOOST_TEST(!decode_message(type_of(sample), BytesView(whole).substr(0, length)));
        }
        BOOST_TEST(!decode_message(type_of(sample), whole + '\0'));
    }
}

/// Frames carry a checksum; this is what is behind it. Any bytes are refused or understood, and
/// what is understood is written again as the same bytes or as its canonical form.
BOOST_AUTO_TEST_CASE(flipped_bits_never_crash) {
    for (const Message& sample : samples()) {
        Bytes bytes = encode_message(sample);
        for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
            bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
            const Result<Message> decoded = decode_message(type_of(sample), bytes);
            if (decoded) {
                const Result<Message> again =
                    decode_message(type_of(sample), encode_message(*decoded));
                BOOST_REQUIRE(again.has_value());
                BOOST_TEST((*again == *decoded));
            }
            bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
        }
    }
}

BOOST_AUTO_TEST_CASE(unknown_types_and_versions_are_refused_by_name) {
    const Result<Message> unknown = decode_message(200, "");
    BOOST_TEST((unknown.error().code == Code::version));
    Hello hello = std::get<Hello>(samples()[0]);
    hello.version = 5;
    hello.version_oldest = 4;
    const Result<Message> older = decode_message(16, encode_message(hello));
    BOOST_TEST((older.error().code == Code::version));
    BOOST_TEST(older.error().message ==
               "the peer speaks protocol version 4 to 5, this build speaks 6 to 7");
    // Whose fields are other ones, too: version 5 had the cluster in second place.
    const Bytes before =
        "\x92\x05\xc4\x02"
        "ab";
    BOOST_TEST((decode_message(16, before).error().code == Code::version));
    BOOST_TEST((decode_message(16, "\x92\x05\x05").error().code == Code::version));
    hello.version = 9;
    hello.version_oldest = 8;
    BOOST_TEST((decode_message(16, encode_message(hello)).error().code == Code::version));
}

/// What a later version appends to HELLO is passed over if it speaks ours as well.
BOOST_AUTO_TEST_CASE(hello_of_a_later_version_is_understood) {
    Hello hello = std::get<Hello>(samples()[0]);
    hello.version = protocol_version + 1;
    Bytes bytes = encode_message(hello);
    BOOST_REQUIRE((bytes[0] == '\xdc' && bytes[1] == 0 && bytes[2] == 24));
    bytes[2] = 26;
    Packer later(bytes);
    later.uint(1);
    later.array(2);
    later.bin("more");
    later.nil();
    BOOST_TEST((decode_message(16, bytes).value() == Message(hello)));
}

/// Version 6 knew no membership: its HELLO ended one field earlier, and what is said to it without
/// a record has the same bytes as then.
BOOST_AUTO_TEST_CASE(version_6_is_understood_and_answered) {
    Hello hello = std::get<Hello>(samples()[0]);
    hello.version = 6;
    hello.epoch = 0;
    hello.takes_publications = false;
    Bytes bytes = encode_message(hello);
    BOOST_REQUIRE((bytes[2] == 24 && to_hex(bytes.substr(bytes.size() - 2)) == "00c2"));
    bytes[2] = 22;
    bytes.resize(bytes.size() - 2);
    BOOST_TEST((decode_message(16, bytes).value() == Message(hello)));
    BOOST_TEST(to_hex(encode_message(samples()[3])).substr(0, 8) == "9b00c400");
    BOOST_TEST(std::get<Ack>(decode_message(19, encode_message(samples()[3])).value()).epoch == 0U);
}

/// Version 7 began without publications: who does not say that it takes them does not.
BOOST_AUTO_TEST_CASE(hello_without_publications_is_understood) {
    Hello hello = std::get<Hello>(samples()[0]);
    Bytes bytes = encode_message(hello);
    BOOST_REQUIRE((bytes[2] == 24 && to_hex(bytes.substr(bytes.size() - 2)) == "04c3"));
    bytes[2] = 23;
    bytes.pop_back();
    hello.takes_publications = false;
    BOOST_TEST((decode_message(16, bytes).value() == Message(hello)));
}

BOOST_AUTO_TEST_CASE(publications_have_bounds) {
    const auto understood = [](const Publication& publication) {
        return decode_message(48, encode_message(publication)).has_value();
    };
    Publication publication{some_uuid(2), 1, 1, limits::publication_hops_max, false, "c", "m"};
    BOOST_TEST(understood(publication));
    publication.channel = Bytes(limits::key_bytes_max, 'c');
    publication.message = Bytes(limits::value_bytes_max, 'm');
    BOOST_TEST(understood(publication));
    publication.message += 'm';
    BOOST_TEST(!understood(publication));
    publication.message = {};
    publication.channel += 'c';
    BOOST_TEST(!understood(publication));
    publication.channel = {};
    ++publication.hops;
    BOOST_TEST(!understood(publication));
    publication.hops = 0;
    publication.number = 0;
    BOOST_TEST(!understood(publication));
}

/// Bytes of version 6 on the wire: a change here is a change of the protocol.
BOOST_AUTO_TEST_CASE(golden_bytes) {
    const auto hex = [](std::size_t index) { return to_hex(encode_message(samples()[index])); };
    BOOST_TEST(hex(1) == "930363cd1000");
    BOOST_TEST(hex(2) ==
               "9603c410050000000000000000000000000000ee03cd1000cd13889401c40b6576656e7420627974657"
               "302c40d626172726965722062797465"
               "73");
    BOOST_TEST(hex(16) == "11");
    BOOST_TEST(hex(7) == "9303c410050000000000000000000000000000eec3");
    BOOST_TEST((decode_message(17, *from_hex("930363cd1000")).value() == samples()[1]));
    BOOST_TEST(
        to_hex(encode_message(samples().back())) ==
        "97c410020000000000000000000000000000eecf11223344556677880340c3c4046e657773c408697420"
        "7261696e73");
    BOOST_TEST(static_cast<int>(type_of(samples().back())) == 48);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(event)

namespace {

Event sample_event() {
    Event event;
    event.dot = Dot{ann, 4};
    event.past = some_vv();
    event.past = VersionVector();
    event.past.add(Dot{ann, 3});
    event.past.add(Dot{bob, 5});
    event.hlc = Hlc::at_ms(1'700'000'000'000);
    CellOp set{"key", CellType::string, std::nullopt, {}};
    set.delta.writes_dots = true;
    set.delta.value = "value";
    CellOp add{"team", CellType::set, "ann", {}};
    add.delta.writes_dots = true;
    add.delta.value = "";
    CellOp increment{"hash", CellType::hash, "field", {}};
    increment.delta.counter = {{ann, CounterEntry{4, 0, 0, {}, 4, 10}}};
    event.ops = {set, add, increment, ClearKey{"gone"}, ClearBuckets{0, 255}};
    return event;
}

}  // namespace

BOOST_AUTO_TEST_CASE(an_event_comes_back_as_it_was) {
    const Bytes bytes = encode_event(sample_event());
    BOOST_TEST((decode_event(bytes).value() == sample_event()));
    BOOST_TEST((peek_dot(bytes).value() == sample_event().dot));
}

BOOST_AUTO_TEST_CASE(a_damaged_event_is_refused_or_well_formed) {
    Bytes bytes = encode_event(sample_event());
    for (std::size_t length = 0; length < bytes.size(); ++length) {
        BOOST_TEST(!decode_event(BytesView(bytes).substr(0, length)));
    }
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
        bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
        if (const Result<Event> event = decode_event(bytes)) {
            BOOST_TEST((decode_event(encode_event(*event)).value() == *event));
        }
        bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    }
}

/// A single-key SET in the log: what a write costs beyond its key and value.
BOOST_AUTO_TEST_CASE(golden_bytes_of_an_event) {
    Event event;
    event.dot = Dot{bob, 1};
    event.past.add(Dot{ann, 300});
    event.hlc = Hlc::at_ms(1'704'067'200'000 + 129);
    event.hlc.bits += 2;
    CellOp set{"k", CellType::string, std::nullopt, {}};
    set.delta.writes_dots = true;
    set.delta.value = "v";
    event.ops = {set};
    // name; one other actor and its counter; milliseconds, logical; operations
    BOOST_TEST(to_hex(encode_event(event)) ==
               "04070201"
               "010311223344ac02"
               "810102"
               "919500c4016b01c09202c40176");
}

/// A text's generation is named by its actor's place in the past.
BOOST_AUTO_TEST_CASE(an_event_edits_only_texts_that_it_has_seen) {
    Event event = sample_event();
    for (const Dot& generation : {event.dot, Dot{ann, 2}, Dot{bob, 5}}) {
        event.ops = {TextEdit{"t", generation, {TextInsertion{{ann, 0}, {}, Side::right, "x"}}}};
        BOOST_TEST((decode_event(encode_event(event)).value() == event));
    }
    Bytes bytes = encode_event(event);
    const std::size_t generation = bytes.find("\x92\x01\x05");
    BOOST_REQUIRE(generation != Bytes::npos);
    const auto accepted = [&](char place, char counter) {
        bytes[generation + 1] = place;
        bytes[generation + 2] = counter;
        return decode_event(bytes).has_value();
    };
    BOOST_TEST(accepted(1, 5));
    BOOST_TEST(accepted(1, 1));
    BOOST_TEST(accepted(0, 3));
    BOOST_TEST(!accepted(1, 0));
    BOOST_TEST(!accepted(1, 6));
    BOOST_TEST(!accepted(0, 4));
    BOOST_TEST(!accepted(2, 1));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace syncline
