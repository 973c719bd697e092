#include "tools/redis_import.hpp"

#include <optional>
#include <utility>

namespace syncline {
namespace {

constexpr std::size_t examples_max = 3;

/// One page at a time, so that a cursor says what is safe.
class RedisImport {
public:
    RedisImport(RespClient& source, RespClient* target, const RedisImportOptions& options,
                const RedisImportEvents& events, RedisImported& imported)
        : reader_(source, options.match, options.cursor), events_(events), imported_(imported) {
        if (target != nullptr) {
            sender_.emplace(*target, options.stop_at_error, refused_, imported.imported);
        }
    }
    RedisImport(const RedisImport&) = delete;
    RedisImport& operator=(const RedisImport&) = delete;

    Result<void> run(std::uint64_t total) {
        std::uint64_t seen = 0;
        while (!reader_.ended()) {
            if (events_.interrupted()) {
                imported_.interrupted = true;
                return {};
            }
            SYNCLINE_TRY(page_, reader_.next_page());
            for (const RedisKey& key : page_) count(key);
            if (sender_) SYNCLINE_CHECK(send_page());
            imported_.cursor = reader_.cursor();
            seen += page_.size();
            events_.looked(seen, total);
        }
        return {};
    }

private:
    void count(const RedisKey& key) {
        if (RedisReader::can_read(key.type)) {
            ++imported_.keys[key.type];
            return;
        }
        RedisImported::Unsupported& unsupported = imported_.unsupported[key.type];
        ++unsupported.count;
        if (unsupported.examples.size() < examples_max) unsupported.examples.push_back(key.key);
    }

    Result<void> send_page() {
        const auto take = [this](std::size_t index, const KeyPiece& piece) -> Result<void> {
            if (piece.part == 1) imported_.bytes += piece.key.size();
            for (const Bytes& value : piece.values) imported_.bytes += value.size();
            return sender_->take(begin_ + index, commands_of(piece));
        };
        const auto wrong = [this](std::size_t index, const std::string& sentence) {
            ++imported_.imported.failed;
            refused_(begin_ + index, sentence);
        };
        SYNCLINE_CHECK(reader_.read(page_, take, wrong));
        SYNCLINE_CHECK(sender_->flush());
        begin_ += page_.size();
        return {};
    }

    RedisReader reader_;
    const RedisImportEvents& events_;
    RedisImported& imported_;
    std::vector<RedisKey> page_;
    std::uint64_t begin_ = 1;  ///< the number of the first key of the page
    CommandSender::Wrong refused_ = [this](std::uint64_t number, const std::string& sentence) {
        events_.wrong(page_[number - begin_].key, sentence);
    };
    std::optional<CommandSender> sender_;
};

}  // namespace

std::uint64_t RedisImported::keys_count() const {
    std::uint64_t count = 0;
    for (const auto& [type, keys_of_it] : keys) count += keys_of_it;
    return count;
}

Result<void> import_redis(RespClient& source, RespClient* target, const RedisImportOptions& options,
                          const RedisImportEvents& events, RedisImported& imported) {
    imported.cursor = options.cursor;
    std::uint64_t total = 0;
    if (options.match.empty() && options.cursor == "0") {
        SYNCLINE_TRY(const RespValue size, source.command({"DBSIZE"}));
        total = size.is_error() ? 0 : static_cast<std::uint64_t>(size.integer);
    }
    return RedisImport(source, target, options, events, imported).run(total);
}

}  // namespace syncline
