#include "net/peers.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "net/endpoint.hpp"

namespace syncline {
namespace {

/// The system asks again after one second, and then only after three. A network that is whole again
/// should not wait for that, nor for a pause.
constexpr std::uint64_t connect_ms_max = 2000;
constexpr std::uint64_t pause_ms_min = 100;
constexpr std::uint64_t pause_ms_max = 1000;
/// A configured peer that needs no dialing now is looked at again after this.
constexpr std::uint64_t look_again_ms = 500;
/// One that is this replica itself: its address may be another one's later, and a name may get more
/// addresses.
constexpr std::uint64_t look_at_itself_ms = 10'000;
constexpr std::uint64_t look_at_own_name_ms = 1000;
/// A link that lived this long was a good one: the next pause is short again.
constexpr std::uint64_t good_link_ms = 1000;

constexpr std::uint64_t look_at_files_ms = 1000;
/// Connections that have not proved themselves; more are dropped unheard.
constexpr std::ptrdiff_t strangers_max = 64;
/// Refusals of those who dial in are logged this often; they may come from anybody.
constexpr std::uint64_t refusal_log_ms = 1000;

}  // namespace

/// A configured peer.
struct Peers::Target {
    Target(Peers& peers, TcpEndpoint to)
        : endpoint(std::move(to)),
          address(to_string(endpoint)),
          timer(peers.loop_, [this, &peers] { peers.try_dial(*this); }) {}

    TcpEndpoint endpoint;
    std::string address;
    Timer timer;
    std::optional<Uuid> uuid;  // who answered there last
    std::unique_ptr<TcpConnector> connector;
    std::optional<LinkId> link;  // made by dialing
    std::uint64_t pause_ms = pause_ms_min;
    std::optional<LinkId> led_back;  // the last link that came back to this replica
    /// The addresses of the name that came back and are not tried again before its others are.
    std::set<std::string> own_addresses;
    bool itself = false;    // all its addresses come back
    bool reported = false;  // that it cannot be reached; once, until it can
    std::string failure;    // why the last attempt came to nothing; empty: it did not
};

Peers::Peers(Loop& loop, PeerOwner& owner, PeerCredentials credentials, Env env)
    : loop_(loop), owner_(owner), credentials_(std::move(credentials)), env_(env) {}

Peers::~Peers() = default;

void Peers::dial(const std::vector<TcpEndpoint>& endpoints) {
    std::set<std::string> wanted;
    for (const TcpEndpoint& endpoint : endpoints) wanted.insert(to_string(endpoint));
    for (const auto& target : targets_) {
        if (!target->link || wanted.contains(target->address)) continue;
        PeerLink& link = *links_.at(*target->link);
        if (!link.over()) drop(link, LogLevel::info, "no peer any more, by the settings");
    }
    std::erase_if(targets_, [&](const auto& target) { return !wanted.contains(target->address); });
    for (const auto& target : targets_) wanted.erase(target->address);
    for (const TcpEndpoint& endpoint : endpoints) {
        if (wanted.erase(to_string(endpoint)) == 0) continue;
        targets_.push_back(std::make_unique<Target>(*this, endpoint));
        try_dial(*targets_.back());
    }
}

void Peers::accept(std::unique_ptr<TcpConnection> connection) {
    const auto strangers = std::count_if(links_.begin(), links_.end(),
                                         [](const auto& entry) { return !entry.second->ready(); });
    if (stopped_ || strangers >= strangers_max) return;
    add_link(PeerAuth::Role::acceptor, std::move(connection)).start();
}

void Peers::stop() {
    stopped_ = true;
    for (const auto& target : targets_) {
        target->timer.stop();
        target->connector.reset();
    }
    for (const auto& [id, link] : links_) {
        if (!link->over()) drop(*link, LogLevel::debug, "this replica stops");
    }
}

void Peers::send(LinkId link, std::uint8_t type, BytesView payload) {
    const auto found = links_.find(link);
    if (found != links_.end()) found->second->send(type, payload);
}

void Peers::close(LinkId link, const Error& reason) {
    const auto found = links_.find(link);
    if (found == links_.end() || found->second->over()) return;
    drop(*found->second, LogLevel::warning, reason.message);
}

void Peers::tick() {
    if (!credentials_.tls || loop_.now_ms() - credentials_ms_ < look_at_files_ms) return;
    credentials_ms_ = loop_.now_ms();
    const Result<bool> changed = credentials_.tls->reload();
    if (!changed) {
        log(LogLevel::warning, "peer.certificates_refused", {{"reason", changed.error().message}});
        return;
    }
    if (!*changed) return;
    log(LogLevel::info, "peer.certificates_read", {});
    for (const auto& [id, link] : links_) {
        if (link->over()) continue;
        if (const Result<void> believed = link->recheck(); !believed) {
            drop(*link, LogLevel::warning, believed.error().message);
        }
    }
}

void Peers::finish_turn() {
    std::erase_if(links_, [](const auto& entry) { return entry.second->over(); });
}

// --- Links

PeerLink& Peers::add_link(PeerAuth::Role role, std::unique_ptr<TcpConnection> connection) {
    PeerLink::Events events;
    events.on_ready = [this](PeerLink& link) { on_ready(link); };
    events.on_name = [this](PeerLink& link) { on_name(link); };
    events.on_message = [this](PeerLink& link, std::uint8_t type, BytesView payload) {
        owner_.peer_message(link.id(), type, payload);
    };
    events.on_transfer = [this](PeerLink& link) { owner_.peer_transfer(link.id()); };
    events.on_closed = [this](PeerLink& link, const Error& reason) {
        const bool refused = reason.code != Code::unavailable && reason.code != Code::io;
        drop(link, refused ? LogLevel::warning : LogLevel::info, reason.message);
    };
    events.patient = [this] { return owner_.copies_rows(); };
    const LinkId id = next_link_++;
    auto link = std::make_unique<PeerLink>(loop_, id, role, std::move(connection), credentials_,
                                           owner_.self(), env_.random, std::move(events));
    return *links_.emplace(id, std::move(link)).first->second;
}

void Peers::on_ready(PeerLink& link) {
    const PeerIdentity peer = link.peer();
    Target* const target = target_of(link.id());
    if (target != nullptr) target->uuid = peer.node;
    const std::string unwelcome = refusal(peer);
    if (!unwelcome.empty()) return drop(link, LogLevel::warning, unwelcome);
    if (PeerLink* const older = live_link(peer.node); older != nullptr) {
        if (!replaces(link, *older)) return drop(link, LogLevel::debug, "a second link");
        drop(*older, LogLevel::debug, "a better link took its place");
    }
    if (!owner_.admit(peer)) {
        return drop(link, LogLevel::info, "the two sides have no cluster in common yet");
    }
    Known& known = known_[peer.node];
    known.node_id = peer.node_id;
    if (target != nullptr || known.address.empty()) {
        known.address = target != nullptr ? target->address : link.address();
    }
    if (target != nullptr) {
        target->reported = false;
        target->failure.clear();
        note_round(*target, {});
    }
    up_.insert(link.id());
    log(LogLevel::info, "peer.up",
        {{"peer", to_string(peer.node)},
         {"address", known.address},
         {"direction", link.outgoing() ? "out" : "in"}});
    owner_.link_up(link.id(), peer.node);
}

void Peers::on_name(PeerLink& link) {
    known_[link.peer().node].name = link.peer_name();
    if (is_blocked(names_of(link.peer().node))) drop(link, LogLevel::info, "the peer is blocked");
}

void Peers::drop(PeerLink& link, LogLevel level, const std::string& reason) {
    const bool was_up = up_.erase(link.id()) > 0;
    const bool lived = was_up && loop_.now_ms() - link.since_ms() >= good_link_ms;
    link.close();
    if (was_up) {
        Known& known = known_[link.peer().node];
        known.bytes_in += link.bytes_in();
        known.bytes_out += link.bytes_out();
        known.dropped += link.dropped();
        known.heard_ms = link.heard_ms();
    }
    Target* const target = target_of(link.id());
    if (PeerLink* const far = was_up ? nullptr : far_end(link); far != nullptr) {
        Target* const back = target_of(link.outgoing() ? link.id() : far->id());
        if (back != nullptr) back->led_back = back->link;
        level = LogLevel::debug;
        // Not the other way round: whoever saw a hello can send it here, and nobody's link ends.
        if (link.outgoing() && !far->over()) drop(*far, level, reason);
    }
    if (target != nullptr && target->led_back == link.id()) level = LogLevel::debug;
    // The same refusal again and again, as of a wrong secret, is news only once.
    bool repeated = target != nullptr && target->reported && !was_up;
    if (target == nullptr && !was_up) {
        repeated = refusal_logged_ms_ && loop_.now_ms() - *refusal_logged_ms_ < refusal_log_ms;
        if (!repeated) refusal_logged_ms_ = loop_.now_ms();
    }
    log(repeated ? LogLevel::debug : level, was_up ? "peer.down" : "peer.refused",
        {{"address", target != nullptr ? target->address : link.address()}, {"reason", reason}});
    if (target != nullptr) {
        // A peer that is connected the other way round lets this side go before it has proved
        // itself. What it said is enough to dial no more while that link lives.
        if (!was_up && live_link(link.claimed_node()) != nullptr) {
            target->uuid = link.claimed_node();
        }
        if (!was_up) {
            target->reported = true;
            target->failure = reason;
        }
        if (lived) target->pause_ms = pause_ms_min;
        target->link.reset();
        note_round(*target, target->led_back == link.id() ? link.address() : std::string());
        dial_again(*target);
    }
    if (was_up) owner_.link_down(link.id());
}

std::string Peers::refusal(const PeerIdentity& peer) const {
    if (is_blocked(names_of(peer.node))) return "the peer is blocked";
    for (const auto& [uuid, known] : known_) {
        if (known.node_id == peer.node_id && uuid != peer.node) {
            return "the peers " + to_string(uuid) + " and " + to_string(peer.node) +
                   " have the same node id; one of them needs a new data directory";
        }
    }
    return {};
}

bool Peers::replaces(const PeerLink& newer, const PeerLink& older) const {
    if (newer.outgoing() == older.outgoing()) return true;
    const Uuid self = owner_.self().identity.node;
    return newer.outgoing() == (self < newer.peer().node);
}

PeerLink* Peers::live_link(const Uuid& peer) const {
    for (const LinkId id : up_) {
        const auto found = links_.find(id);
        if (found != links_.end() && found->second->ready() && found->second->peer().node == peer) {
            return found->second.get();
        }
    }
    return nullptr;
}

Peers::Target* Peers::target_of(LinkId link) const {
    for (const auto& target : targets_) {
        if (target->link == link) return target.get();
    }
    return nullptr;
}

/// Its far end tells, not its node: a copied data directory has this replica's, too.
PeerLink* Peers::far_end(const PeerLink& link) const {
    for (const auto& [id, other] : links_) {
        if (other->ready()) continue;
        if (link.comes_from(*other) || other->comes_from(link)) return other.get();
    }
    return nullptr;
}

void Peers::note_round(Target& target, const std::string& own_address) {
    const bool back = !own_address.empty();
    if (back && target.endpoint.is_name() && target.own_addresses.insert(own_address).second) {
        return;
    }
    target.own_addresses.clear();
    if (back && !target.itself) log(LogLevel::info, "peer.itself", {{"address", target.address}});
    target.itself = back;
}

bool Peers::is_itself(BytesView address) const {
    return std::any_of(targets_.begin(), targets_.end(), [&](const auto& target) {
        return target->address == address && is_itself(*target);
    });
}

bool Peers::is_itself(const Target& target) const {
    if (!target.itself || owner_.counts_addresses()) return false;
    return !target.endpoint.is_name() ||
           std::any_of(targets_.begin(), targets_.end(),
                       [](const auto& other) { return !other->itself; });
}

// --- Dialing

void Peers::try_dial(Target& target) {
    if (stopped_ || target.link || target.connector) return;
    const bool connected = target.uuid && live_link(*target.uuid) != nullptr;
    if (connected || is_blocked(names_of(target))) return target.timer.start(look_again_ms);
    target.connector = std::make_unique<TcpConnector>(
        loop_, target.endpoint, connect_ms_max,
        [this, &target](Result<std::unique_ptr<TcpConnection>> connection) {
            dialed(target, std::move(connection));
        },
        target.own_addresses);
}

/// After a pause between half and the whole of a span that doubles, so that replicas which lost
/// each other at one moment do not all come back at one.
void Peers::dial_again(Target& target) {
    if (stopped_) return;
    if (!target.own_addresses.empty()) return target.timer.start(pause_ms_min);
    if (target.itself) {
        return target.timer.start(target.endpoint.is_name() ? look_at_own_name_ms
                                                            : look_at_itself_ms);
    }
    const std::uint64_t half = target.pause_ms / 2;
    target.timer.start(half + env_.random.below(half + 1));
    target.pause_ms = std::min(target.pause_ms * 2, pause_ms_max);
}

void Peers::dialed(Target& target, Result<std::unique_ptr<TcpConnection>> connection) {
    target.connector.reset();
    if (!connection) {
        note_round(target, {});
        log(target.reported ? LogLevel::debug : LogLevel::info, "peer.unreachable",
            {{"address", target.address}, {"reason", connection.error().message}});
        target.reported = true;
        target.failure = connection.error().message;
        return dial_again(target);
    }
    PeerLink& link = add_link(PeerAuth::Role::initiator, std::move(*connection));
    target.link = link.id();
    link.start();
}

// --- Names and views

Peers::Names Peers::names_of(const Uuid& peer) const {
    Names names{to_string(peer)};
    const auto known = known_.find(peer);
    if (known != known_.end() && !known->second.name.empty()) names.insert(known->second.name);
    for (const auto& target : targets_) {
        if (target->uuid == peer) names.insert(target->address);
    }
    return names;
}

Peers::Names Peers::names_of(const Target& target) const {
    Names names = target.uuid ? names_of(*target.uuid) : Names{};
    names.insert(target.address);
    return names;
}

bool Peers::is_blocked(const Names& names) const {
    return std::any_of(names.begin(), names.end(),
                       [&](const std::string& name) { return blocked_.count(name) > 0; });
}

Peers::Names Peers::aliases(BytesView name) const {
    Names all;
    const auto add = [&](Names names) {
        if (names.count(std::string(name)) > 0) all.merge(names);
    };
    for (const auto& [uuid, known] : known_) add(names_of(uuid));
    for (const auto& target : targets_) add(names_of(*target));
    return all;
}

Result<void> Peers::set_blocked(BytesView peer, bool blocked) {
    Names names = aliases(peer);
    if (names.empty()) {
        return Error{Code::invalid_argument, "no peer is known by this name, uuid or address"};
    }
    for (const std::string& name : names) {
        if (blocked) {
            blocked_.insert(name);
        } else {
            blocked_.erase(name);
        }
    }
    for (const auto& [id, link] : links_) {
        if (link->ready() && is_blocked(names_of(link->peer().node))) {
            drop(*link, LogLevel::info, "the peer is blocked");
        }
    }
    for (const auto& target : targets_) {
        if (is_blocked(names_of(*target))) {
            target->connector.reset();
            target->timer.start(look_again_ms);
        } else if (!blocked) {
            target->pause_ms = pause_ms_min;
            try_dial(*target);
        }
    }
    return {};
}

Result<LinkId> Peers::find(BytesView peer) const {
    bool known_peer = false;
    for (const auto& [uuid, known] : known_) {
        if (names_of(uuid).count(std::string(peer)) == 0) continue;
        known_peer = true;
        if (const PeerLink* const link = live_link(uuid); link != nullptr) return link->id();
    }
    if (known_peer || !aliases(peer).empty()) {
        std::string sentence = "the peer is not connected";
        for (const auto& target : targets_) {
            if (names_of(*target).count(std::string(peer)) == 0) continue;
            if (!target->failure.empty()) sentence += ": " + target->failure;
            break;
        }
        return Error{Code::unavailable, sentence};
    }
    return Error{Code::invalid_argument, "no peer is known by this name, uuid or address"};
}

PeerView Peers::view_of(const Uuid& uuid, const Known& known) const {
    PeerView view;
    view.name = known.name;
    view.address = known.address;
    view.uuid = uuid;
    view.blocked = is_blocked(names_of(uuid));
    view.bytes_in = known.bytes_in;
    view.bytes_out = known.bytes_out;
    view.publications_dropped = known.dropped;
    view.silent_ms = loop_.now_ms() - known.heard_ms;
    if (const PeerLink* const link = live_link(uuid); link != nullptr) {
        view.connected = true;
        view.outgoing = link->outgoing();
        view.bytes_in += link->bytes_in();
        view.bytes_out += link->bytes_out();
        view.publications_dropped += link->dropped();
        view.connected_ms = loop_.now_ms() - link->since_ms();
        view.silent_ms = loop_.now_ms() - link->heard_ms();
        view.link = link->id();
    }
    return view;
}

std::vector<PeerView> Peers::views() const {
    std::vector<PeerView> views;
    for (const auto& [uuid, known] : known_) views.push_back(view_of(uuid, known));
    for (const auto& target : targets_) {
        if (is_itself(*target) || (target->uuid && known_.count(*target->uuid) > 0)) continue;
        PeerView view;
        view.address = target->address;
        view.outgoing = true;
        view.blocked = is_blocked(names_of(*target));
        views.push_back(std::move(view));
    }
    return views;
}

}  // namespace syncline
