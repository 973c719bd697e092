// The C++ half of the Python module: the embedded database with bytes for keys and values, errors
// as exceptions, and the interpreter's lock released around everything that waits. What Python
// programmers see is made of it in the package beside this file.
#include <pybind11/functional.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "core/database.hpp"
#include "net/node.hpp"

namespace py = pybind11;

namespace syncline {
namespace {

/// An Error on its way through pybind11, which reports by exceptions; it ends in the translator.
struct Raised {
    Error error;
};

template <typename T>
T take(Result<T> result) {
    if (!result) throw Raised{result.error()};
    return std::move(result).value();
}

void take(const Result<void>& result) {
    if (!result) throw Raised{result.error()};
}

/// Runs without the interpreter's lock: others go on while this waits for a disk or for another
/// thread. Nothing in it may touch Python.
template <typename Call>
auto released(const Call& call) {
    const py::gil_scoped_release release;
    return take(call());
}

py::bytes to_python(const Bytes& bytes) {
    return py::bytes(bytes);
}

py::object to_python(const std::optional<Bytes>& bytes) {
    return bytes ? py::object(to_python(*bytes)) : py::object(py::none());
}

py::list to_python(const std::vector<Bytes>& items) {
    py::list list;
    for (const Bytes& item : items) list.append(to_python(item));
    return list;
}

/// What was seen when siblings were read; Python hands it back and looks not into it.
struct Context {
    VersionVector seen;
};

/// The values, and the context to replace them with.
py::tuple to_python(const Siblings& siblings) {
    py::list list;
    for (const Sibling& sibling : siblings.values) {
        list.append(py::make_tuple(to_python(sibling.value), to_string(sibling.origin),
                                   static_cast<double>(sibling.wall_ms) / 1000));
    }
    return py::make_tuple(list, Context{siblings.context});
}

py::object type_name(const std::optional<KeyType>& type) {
    return type ? py::object(py::str(std::string(key_type_name(*type)))) : py::object(py::none());
}

/// A transaction as Python holds it, maybe for longer than it lasts.
class Transaction {
public:
    explicit Transaction(const Batch& batch) : batch_(&batch) {}
    void end() { batch_ = nullptr; }
    [[nodiscard]] const Keyspace& keys() const {
        if (batch_ != nullptr) return *batch_;
        throw Raised{Error{Code::unavailable, "the transaction has ended"}};
    }

private:
    const Batch* batch_;
};

/// A database as Python holds it.
class Opened {
public:
    explicit Opened(Database database)
        : database_(std::make_unique<Database>(std::move(database))), process_(::getpid()) {}
    Opened(const Opened&) = delete;
    Opened& operator=(const Opened&) = delete;
    ~Opened() {
        if (forked()) {
            // The threads it would wait for are the parent's; the memory goes with the process.
            (void)database_.release();
            return;
        }
        const py::gil_scoped_release release;
        database_.reset();
    }

    [[nodiscard]] Database& get() const {
        if (!forked()) return *database_;
        throw Raised{Error{Code::unavailable, "a database does not survive fork(): open it after"}};
    }
    [[nodiscard]] bool forked() const { return ::getpid() != process_; }

private:
    std::unique_ptr<Database> database_;
    pid_t process_;  // its threads are in no other
};

const Keyspace& keys(const Opened& opened) {
    return opened.get();
}

/// A snapshot as Python holds it.
class Taken {
public:
    explicit Taken(Snapshot snapshot)
        : snapshot_(std::make_unique<Snapshot>(std::move(snapshot))), process_(::getpid()) {}
    Taken(const Taken&) = delete;
    Taken& operator=(const Taken&) = delete;
    ~Taken() {
        if (::getpid() != process_) {
            (void)snapshot_.release();  // as in Opened
            return;
        }
        const py::gil_scoped_release release;
        snapshot_.reset();
    }

    [[nodiscard]] Snapshot& get() const {
        if (::getpid() == process_) return *snapshot_;
        throw Raised{Error{Code::unavailable, "a snapshot does not survive fork()"}};
    }
    void release() const {
        if (::getpid() != process_) return;
        const py::gil_scoped_release release;
        snapshot_->release();
    }

private:
    std::unique_ptr<Snapshot> snapshot_;
    pid_t process_;
};

const Keyspace& keys(const Taken& taken) {
    return taken.get();
}

const Keyspace& keys(const Transaction& transaction) {
    return transaction.keys();
}

// What a Database and a transaction have in common, key by key.

template <typename Space, typename Class>
void define_registers(Class& cls) {
    using S = const Space&;
    using K = const Bytes&;
    cls.def("counter_add", [](S space, K key, std::int64_t amount) {
        return released([&]() { return keys(space).counter(key).add(amount); });
    });
    cls.def("counter_get", [](S space, K key) {
        return released([&]() { return keys(space).counter(key).get(); });
    });
    cls.def("counter_set", [](S space, K key, std::int64_t value) {
        released([&]() { return keys(space).counter(key).set(value); });
    });
    cls.def("string_get", [](S space, K key) {
        return to_python(released([&]() { return keys(space).string(key).get(); }));
    });
    cls.def("string_set", [](S space, K key, K value) {
        released([&]() { return keys(space).string(key).set(value); });
    });
    cls.def("string_put", [](S space, K key, K value, const Context& context) {
        released([&]() { return keys(space).string(key).put(value, context.seen); });
    });
    cls.def("string_remove", [](S space, K key) {
        return released([&]() { return keys(space).string(key).remove(); });
    });
    cls.def("string_siblings", [](S space, K key) {
        return to_python(released([&]() { return keys(space).string(key).siblings(); }));
    });
}

py::list to_python(const std::vector<BoundedCounter::Part>& parts) {
    py::list list;
    for (const BoundedCounter::Part& part : parts) {
        list.append(py::make_tuple(to_string(part.actor), part.rights, part.made, part.received,
                                   part.transferred, part.used));
    }
    return list;
}

template <typename Space, typename Class>
void define_bounded_counters(Class& cls) {
    using S = const Space&;
    using K = const Bytes&;
    cls.def("bounded_increment", [](S space, K key, std::int64_t amount) {
        return released([&]() { return keys(space).bounded_counter(key).increment(amount); });
    });
    cls.def("bounded_decrement", [](S space, K key, std::int64_t amount) {
        return released([&]() { return keys(space).bounded_counter(key).decrement(amount); });
    });
    cls.def("bounded_get", [](S space, K key) {
        return released([&]() { return keys(space).bounded_counter(key).get(); });
    });
    cls.def("bounded_rights", [](S space, K key) {
        return to_python(released([&]() { return keys(space).bounded_counter(key).rights(); }));
    });
    cls.def("bounded_transfer", [](S space, K key, std::int64_t amount, K to) {
        const std::optional<Actor> actor = actor_from(to);
        if (!actor) throw Raised{Error{Code::invalid_argument, "\"" + to + "\" is no actor"}};
        released([&]() { return keys(space).bounded_counter(key).transfer(amount, *actor); });
    });
}

template <typename Space, typename Class>
void define_flags(Class& cls) {
    using S = const Space&;
    using K = const Bytes&;
    cls.def("flag_enable", [](S space, K key) {
        return released([&]() { return keys(space).flag(key).enable(); });
    });
    cls.def("flag_disable", [](S space, K key) {
        return released([&]() { return keys(space).flag(key).disable(); });
    });
    cls.def("flag_enabled", [](S space, K key) {
        return released([&]() { return keys(space).flag(key).enabled(); });
    });
}

template <typename Space, typename Class>
void define_sets(Class& cls) {
    using S = const Space&;
    using K = const Bytes&;
    cls.def("set_add", [](S space, K key, K member) {
        return released([&]() { return keys(space).set(key).add(member); });
    });
    cls.def("set_remove", [](S space, K key, K member) {
        return released([&]() { return keys(space).set(key).remove(member); });
    });
    cls.def("set_contains", [](S space, K key, K member) {
        return released([&]() { return keys(space).set(key).contains(member); });
    });
    cls.def("set_size",
            [](S space, K key) { return released([&]() { return keys(space).set(key).size(); }); });
    cls.def("set_members", [](S space, K key) {
        return to_python(released([&]() { return keys(space).set(key).members(); }));
    });
    cls.def("set_clear",
            [](S space, K key) { released([&]() { return keys(space).set(key).clear(); }); });
}

template <typename Space, typename Class>
void define_maps(Class& cls) {
    using S = const Space&;
    using K = const Bytes&;
    cls.def("map_get", [](S space, K key, K field) {
        return to_python(released([&]() { return keys(space).map(key).get(field); }));
    });
    cls.def("map_put", [](S space, K key, K field, K value) {
        return released([&]() { return keys(space).map(key).put(field, value); });
    });
    cls.def("map_put_seen", [](S space, K key, K field, K value, const Context& context) {
        released([&]() { return keys(space).map(key).put(field, value, context.seen); });
    });
    cls.def("map_remove", [](S space, K key, K field) {
        return released([&]() { return keys(space).map(key).remove(field); });
    });
    cls.def("map_contains", [](S space, K key, K field) {
        return released([&]() { return keys(space).map(key).contains(field); });
    });
    cls.def("map_size",
            [](S space, K key) { return released([&]() { return keys(space).map(key).size(); }); });
    cls.def("map_entries", [](S space, K key) {
        py::list list;
        for (const auto& [field, value] :
             released([&]() { return keys(space).map(key).entries(); })) {
            list.append(py::make_tuple(to_python(field), to_python(value)));
        }
        return list;
    });
    cls.def("map_increment", [](S space, K key, K field, std::int64_t amount) {
        return released([&]() { return keys(space).map(key).increment(field, amount); });
    });
    cls.def("map_siblings", [](S space, K key, K field) {
        return to_python(released([&]() { return keys(space).map(key).siblings(field); }));
    });
    cls.def("map_clear",
            [](S space, K key) { released([&]() { return keys(space).map(key).clear(); }); });
}

py::list to_python(const std::vector<SortedSetHandle::Member>& members) {
    py::list list;
    for (const SortedSetHandle::Member& member : members) {
        list.append(py::make_tuple(to_python(member.name), member.score));
    }
    return list;
}

template <typename Space, typename Class>
void define_sorted_sets(Class& cls) {
    using S = const Space&;
    using K = const Bytes&;
    cls.def("sorted_add", [](S space, K key, K member, double score) {
        return released([&]() { return keys(space).sorted_set(key).add(member, score); });
    });
    cls.def("sorted_increment", [](S space, K key, K member, double amount) {
        return released([&]() { return keys(space).sorted_set(key).increment(member, amount); });
    });
    cls.def("sorted_remove", [](S space, K key, K member) {
        return released([&]() { return keys(space).sorted_set(key).remove(member); });
    });
    cls.def("sorted_score", [](S space, K key, K member) {
        return released([&]() { return keys(space).sorted_set(key).score(member); });
    });
    cls.def("sorted_size", [](S space, K key) {
        return released([&]() { return keys(space).sorted_set(key).size(); });
    });
    cls.def("sorted_range", [](S space, K key, std::size_t first, std::size_t count) {
        return to_python(
            released([&]() { return keys(space).sorted_set(key).range(first, count); }));
    });
    cls.def("sorted_largest", [](S space, K key, std::size_t first, std::size_t count) {
        return to_python(
            released([&]() { return keys(space).sorted_set(key).largest(first, count); }));
    });
    cls.def("sorted_between", [](S space, K key, double low, double high) {
        return to_python(
            released([&]() { return keys(space).sorted_set(key).between(low, high); }));
    });
    cls.def("sorted_clear", [](S space, K key) {
        released([&]() { return keys(space).sorted_set(key).clear(); });
    });
}

template <typename Space, typename Class>
void define_lists(Class& cls) {
    using S = const Space&;
    using K = const Bytes&;
    using I = std::int64_t;
    cls.def("list_push_back", [](S space, K key, const std::vector<Bytes>& values) {
        return released([&]() { return keys(space).list(key).push_back(values); });
    });
    cls.def("list_push_front", [](S space, K key, const std::vector<Bytes>& values) {
        return released([&]() { return keys(space).list(key).push_front(values); });
    });
    cls.def("list_pop_back", [](S space, K key) {
        return to_python(released([&]() { return keys(space).list(key).pop_back(); }));
    });
    cls.def("list_pop_front", [](S space, K key) {
        return to_python(released([&]() { return keys(space).list(key).pop_front(); }));
    });
    cls.def("list_insert", [](S space, K key, I index, K value) {
        released([&]() { return keys(space).list(key).insert(index, value); });
    });
    cls.def("list_get", [](S space, K key, I index) {
        return to_python(released([&]() { return keys(space).list(key).get(index); }));
    });
    cls.def("list_set", [](S space, K key, I index, K value) {
        released([&]() { return keys(space).list(key).set(index, value); });
    });
    cls.def("list_remove", [](S space, K key, I index) {
        return released([&]() { return keys(space).list(key).remove(index); });
    });
    cls.def("list_size", [](S space, K key) {
        return released([&]() { return keys(space).list(key).size(); });
    });
    cls.def("list_range", [](S space, K key, I first, I last) {
        return to_python(released([&]() { return keys(space).list(key).range(first, last); }));
    });
    cls.def("list_clear",
            [](S space, K key) { released([&]() { return keys(space).list(key).clear(); }); });
}

template <typename Space, typename Class>
void define_texts(Class& cls) {
    using S = const Space&;
    using K = const Bytes&;
    using N = std::uint64_t;
    cls.def("text_insert", [](S space, K key, N position, K text) {
        return released([&]() { return keys(space).text(key).insert(position, text); });
    });
    cls.def("text_append", [](S space, K key, K text) {
        return released([&]() { return keys(space).text(key).append(text); });
    });
    cls.def("text_erase", [](S space, K key, N position, N count) {
        return released([&]() { return keys(space).text(key).erase(position, count); });
    });
    cls.def("text_get", [](S space, K key) {
        return to_python(released([&]() { return keys(space).text(key).get(); }));
    });
    cls.def("text_part", [](S space, K key, N position, N count) {
        return to_python(released([&]() { return keys(space).text(key).get(position, count); }));
    });
    cls.def("text_size", [](S space, K key) {
        return released([&]() { return keys(space).text(key).size(); });
    });
    cls.def("text_mark", [](S space, K key, N position) {
        return to_python(released([&]() { return keys(space).text(key).mark(position); }));
    });
    cls.def("text_position", [](S space, K key, K mark) {
        return released([&]() { return keys(space).text(key).position_of(mark); });
    });
    cls.def("text_clear",
            [](S space, K key) { released([&]() { return keys(space).text(key).clear(); }); });
}

template <typename Space, typename Class>
void define_keyspace(Class& cls) {
    define_registers<Space>(cls);
    define_bounded_counters<Space>(cls);
    define_flags<Space>(cls);
    define_sets<Space>(cls);
    define_maps<Space>(cls);
    define_sorted_sets<Space>(cls);
    define_lists<Space>(cls);
    define_texts<Space>(cls);
    using S = const Space&;
    using K = const Bytes&;
    cls.def("type", [](S space, K key) {
        return type_name(released([&]() { return keys(space).type(key); }));
    });
    cls.def("exists",
            [](S space, K key) { return released([&]() { return keys(space).exists(key); }); });
    cls.def("expire", [](S space, K key, std::int64_t after_ms) {
        return released(
            [&]() { return keys(space).expire(key, std::chrono::milliseconds(after_ms)); });
    });
    cls.def("expire_at", [](S space, K key, std::uint64_t wall_ms) {
        return released([&]() { return keys(space).expire_at(key, wall_ms); });
    });
    cls.def("persist",
            [](S space, K key) { return released([&]() { return keys(space).persist(key); }); });
    cls.def("deadline",
            [](S space, K key) { return released([&]() { return keys(space).deadline(key); }); });
    cls.def("remove",
            [](S space, K key) { return released([&]() { return keys(space).remove(key); }); });
    cls.def("size", [](S space) { return released([&]() { return keys(space).size(); }); });
    cls.def("keys", [](S space, std::uint64_t cursor, std::size_t count) {
        const KeyPage page = released([&]() { return keys(space).keys(cursor, count); });
        py::list keys;
        for (const KeyPage::Entry& entry : page.keys) keys.append(to_python(entry.key));
        return py::make_tuple(keys, page.cursor);
    });
}

/// A Python function that any thread may call and let go of, without the interpreter's lock.
class Callback {
public:
    explicit Callback(py::function function) : held_(std::make_shared<Held>(std::move(function))) {}

    void operator()(const Change& change) const {
        if (Py_IsInitialized() == 0) return;
        const py::gil_scoped_acquire acquire;
        try {
            held_->function(to_python(change.key),
                            change.origin ? py::object(py::str(to_string(*change.origin)))
                                          : py::object(py::none()),
                            change.local);
        } catch (py::error_already_set& error) {
            error.discard_as_unraisable("syncline watch");  // the commit must go on
        }
    }

private:
    struct Held {
        py::function function;

        explicit Held(py::function given) : function(std::move(given)) {}
        Held(const Held&) = delete;
        Held& operator=(const Held&) = delete;
        ~Held() {
            const py::handle object = function.release();
            if (Py_IsInitialized() == 0) return;  // the interpreter is gone, and its objects
            const py::gil_scoped_acquire acquire;
            object.dec_ref();
        }
    };
    std::shared_ptr<Held> held_;  // std::function copies its target
};

py::dict to_python(const VersionVector& vector) {
    py::dict version;
    for (const auto& [actor, counter] : vector.entries()) {
        version[py::str(to_string(actor))] = counter;
    }
    return version;
}

py::dict to_python(const DatabaseStats& stats) {
    using namespace pybind11::literals;
    return py::dict("replica"_a = stats.replica, "node"_a = stats.node, "cluster"_a = stats.cluster,
                    "actor"_a = to_string(stats.actor), "version"_a = to_python(stats.version),
                    "root"_a = stats.root, "rows"_a = stats.rows, "keys"_a = stats.keys,
                    "transactions_local"_a = stats.transactions_local,
                    "transactions_remote"_a = stats.transactions_remote,
                    "flushes"_a = stats.flushes, "checkpoints"_a = stats.checkpoints,
                    "log_bytes"_a = stats.log_bytes, "overlay_bytes"_a = stats.overlay_bytes,
                    "divergence_alarms"_a = stats.divergence_alarms);
}

/// Runs a Python function inside a transaction. What it raises drops the transaction, and is
/// raised again where the transaction was called.
void transact(const Opened& opened, const py::function& write) {
    const Database& database = opened.get();
    std::optional<py::error_already_set> raised;
    const auto call = [&](Batch& batch) -> Result<void> {
        const py::gil_scoped_acquire acquire;
        const auto transaction = std::make_shared<Transaction>(batch);  // Python may keep it
        try {
            write(transaction);
            transaction->end();
            return {};
        } catch (py::error_already_set& error) {
            transaction->end();
            raised.emplace(std::move(error));
            return Error{Code::invalid_argument, "the transaction raised an exception"};
        }
    };
    Result<void> done;
    {
        const py::gil_scoped_release release;
        done = database.batch(call);
    }
    if (raised) throw std::move(*raised);
    take(done);
}

/// Backs up, and tells a Python function after each piece. What it raises ends the backup, and is
/// raised again where the backup was called; so does a signal, as of Ctrl-C.
void backup(const Opened& opened, const Bytes& path, const py::object& progress) {
    const Database& database = opened.get();
    std::optional<py::error_already_set> raised;
    const auto told = [&](const BackupProgress& so_far) {
        const py::gil_scoped_acquire acquire;
        try {
            if (PyErr_CheckSignals() != 0) throw py::error_already_set();
            if (progress.is_none()) return true;
            const py::object answer =
                progress(so_far.rows, so_far.rows_expected, so_far.events, so_far.bytes);
            return !answer.is(py::bool_(false));
        } catch (py::error_already_set& error) {
            raised.emplace(std::move(error));
            return false;
        }
    };
    Result<void> done;
    {
        const py::gil_scoped_release release;
        done = database.backup(path, told);
    }
    if (raised) throw std::move(*raised);
    take(done);
}

/// A watch as Python holds it. To stop it waits for a call-back, which may wait for the
/// interpreter's lock.
class Watched {
public:
    explicit Watched(Watch watch)
        : watch_(std::make_unique<Watch>(std::move(watch))), process_(::getpid()) {}
    Watched(const Watched&) = delete;
    Watched& operator=(const Watched&) = delete;
    ~Watched() { stop(); }

    void stop() {
        if (::getpid() != process_) {
            (void)watch_.release();  // as in Opened
            return;
        }
        const py::gil_scoped_release release;
        watch_.reset();
    }

private:
    std::unique_ptr<Watch> watch_;
    pid_t process_;
};

/// A node as Python holds it. Its thread takes no lock of the interpreter.
class Started {
public:
    explicit Started(Node node) : node_(std::make_unique<Node>(std::move(node))) {}
    Started(const Started&) = delete;
    Started& operator=(const Started&) = delete;
    ~Started() {
        if (::getpid() != process_) {
            (void)node_.release();  // as in Opened
            return;
        }
        const py::gil_scoped_release release;
        node_.reset();
    }

    [[nodiscard]] Node& get() const {
        if (::getpid() == process_) return *node_;
        throw Raised{Error{Code::unavailable, "a node does not survive fork(): start it after"}};
    }
    void stop() const {
        if (::getpid() != process_) return;
        const py::gil_scoped_release release;
        node_->stop();
    }

private:
    std::unique_ptr<Node> node_;
    pid_t process_ = ::getpid();  // its thread is in no other
};

py::list to_python(const std::vector<NodePeer>& peers) {
    py::list list;
    for (const NodePeer& peer : peers) {
        list.append(py::make_tuple(peer.name, peer.address, peer.node, peer.connected,
                                   to_python(peer.version)));
    }
    return list;
}

void define_node(py::module_& module) {
    py::class_<NodeOptions>(module, "NodeOptions")
        .def(py::init<>())
        .def_readwrite("listen", &NodeOptions::listen)
        .def_readwrite("peers", &NodeOptions::peers)
        .def_readwrite("secret_file", &NodeOptions::secret_file)
        .def_readwrite("tls_cert", &NodeOptions::tls_cert)
        .def_readwrite("tls_key", &NodeOptions::tls_key)
        .def_readwrite("tls_ca", &NodeOptions::tls_ca)
        .def_readwrite("tls_crl", &NodeOptions::tls_crl)
        .def_property("secret", nullptr,
                      [](NodeOptions& options, const Bytes& secret) { options.secret = secret; });
    py::class_<Started> node(module, "Node");
    node.def_static("start", [](const Opened& opened, const NodeOptions& options) {
        const Database& database = opened.get();
        return std::make_unique<Started>(
            released([&]() { return Node::start(database, options); }));
    });
    node.def("port", [](const Started& self) { return self.get().port(); });
    node.def("peers", [](const Started& self) {
        std::vector<NodePeer> peers;
        {
            const py::gil_scoped_release release;
            peers = self.get().peers();
        }
        return to_python(peers);
    });
    node.def("wait_synced", [](const Started& self, std::int64_t timeout_ms) {
        released([&]() { return self.get().wait_synced(std::chrono::milliseconds(timeout_ms)); });
    });
    node.def("stop", &Started::stop);
}

void set_durability(DatabaseOptions& options, const std::string& name) {
    if (name != "always" && name != "interval") {
        throw Raised{
            Error{Code::invalid_argument, "\"" + name + "\" is no durability: always or interval"}};
    }
    options.durability = name == "always" ? Durability::always : Durability::interval;
}

void define_database(py::module_& module) {
    py::class_<Context>(module, "Context");
    py::class_<Watched>(module, "Watch").def("stop", &Watched::stop);
    py::class_<Transaction, std::shared_ptr<Transaction>> transaction(module, "Transaction");
    define_keyspace<Transaction>(transaction);

    py::class_<Taken> taken(module, "Snapshot");
    define_keyspace<Taken>(taken);
    taken.def("version", [](const Taken& self) { return to_python(self.get().version()); });
    taken.def("release", &Taken::release);

    py::class_<Opened> database(module, "Database");
    define_keyspace<Opened>(database);
    database.def_static("open", [](const DatabaseOptions& options) {
        return std::make_unique<Opened>(released([&]() { return Database::open(options); }));
    });
    database.def("transact", &transact);
    database.def("watch", [](const Opened& self, const Bytes& key, py::function function) {
        const Database& opened = self.get();
        return std::make_unique<Watched>(released([&, callback = Callback(std::move(function))]() {
            return opened.watch(key, callback);
        }));
    });
    database.def("backup", &backup);
    database.def("snapshot", [](const Opened& self) {
        const Database& opened = self.get();
        return std::make_unique<Taken>(released([&]() { return opened.snapshot(); }));
    });
    database.def("stats", [](const Opened& self) {
        return to_python(released([&]() { return self.get().stats(); }));
    });
    database.def("close", [](const Opened& self) {
        if (!self.forked()) released([&]() { return self.get().close(); });
    });
    database.def("next_message", [](const Opened& self, const Bytes& peer) {
        return to_python(released([&]() { return self.get().next_message(peer); }));
    });
    database.def("restart_exchange", [](const Opened& self, const Bytes& peer) {
        released([&]() { return self.get().restart_exchange(peer); });
    });
    database.def("receive", [](const Opened& self, const Bytes& peer, const Bytes& message) {
        released([&]() { return self.get().receive(peer, message); });
    });
}

}  // namespace
}  // namespace syncline

PYBIND11_MODULE(_core, module) {
    using namespace syncline;
    py::class_<DatabaseOptions>(module, "DatabaseOptions")
        .def(py::init<>())
        .def_readwrite("path", &DatabaseOptions::path)
        .def_readwrite("replica", &DatabaseOptions::replica)
        .def_readwrite("cluster", &DatabaseOptions::cluster)
        .def_readwrite("replicas", &DatabaseOptions::replicas)
        .def_readwrite("policies", &DatabaseOptions::policies)
        .def_readwrite("checkpoint_interval_ms", &DatabaseOptions::checkpoint_interval_ms)
        .def_property("durability", nullptr, &set_durability)
        .def_readwrite("sync_interval_ms", &DatabaseOptions::sync_interval_ms)
        .def_readwrite("map_bytes", &DatabaseOptions::map_bytes)
        .def_readwrite("repair_bandwidth", &DatabaseOptions::repair_bandwidth)
        .def_readwrite("snapshot_ms_max", &DatabaseOptions::snapshot_ms_max)
        .def_readwrite("snapshot_bytes_max", &DatabaseOptions::snapshot_bytes_max);
    define_database(module);
    define_node(module);
    py::register_exception_translator([](std::exception_ptr pointer) {
        try {
            if (pointer) std::rethrow_exception(pointer);
        } catch (const Raised& raised) {
            const py::object make = py::module_::import("syncline._errors").attr("from_code");
            const py::object error =
                make(std::string(code_name(raised.error.code)), raised.error.message);
            PyErr_SetObject(py::type::of(error).ptr(), error.ptr());
        }
    });
}
