#include "tools/resubmission_journal.hpp"

#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>

namespace syncline {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;
using JournalState = ResubmissionJournal::State;
using JournalEntry = ResubmissionJournal::Entry;

constexpr std::array<std::pair<JournalState, const char*>, 4> journal_state_names = {{
    {JournalState::unsent, "unsent"},
    {JournalState::sent, "sent"},
    {JournalState::done, "done"},
    {JournalState::refused, "refused"},
}};

const char* journal_state_name(JournalState state) {
    return journal_state_names[static_cast<std::size_t>(state)].second;
}

std::optional<JournalState> journal_state_from(const std::string& name) {
    for (const auto& [state, known] : journal_state_names) {
        if (name == known) return state;
    }
    return std::nullopt;
}

std::string json_string(const Json& json, const char* name) {
    const auto found = json.find(name);
    return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}

/// Nothing for a line that note() does not write.
std::optional<std::pair<std::uint64_t, JournalEntry>> journal_entry_from(BytesView line) {
    const Json json = Json::parse(line, nullptr, false);
    if (!json.is_object() || !json.contains("line") || !json["line"].is_number_unsigned()) {
        return std::nullopt;
    }
    const std::optional<JournalState> state = journal_state_from(json_string(json, "state"));
    const std::optional<Dot> event = dot_from(json_string(json, "event"));
    if (!state || !event) return std::nullopt;
    JournalEntry entry{*state, *event, {}};
    if (*state == JournalState::done) {
        const std::optional<Bytes> bytes = from_hex(json_string(json, "result"));
        if (!bytes) return std::nullopt;
        Result<Resubmitted> result = decode_resubmitted(*bytes);
        if (!result) return std::nullopt;
        entry.result = std::move(*result);
    }
    return std::pair(json["line"].get<std::uint64_t>(), std::move(entry));
}

}  // namespace

Result<ResubmissionJournal> ResubmissionJournal::open(const std::string& path) {
    ResubmissionJournal journal;
    journal.path_ = path;
    std::error_code ignored;  // then the directory cannot be opened
    const fs::path absolute = fs::absolute(path, ignored);
    SYNCLINE_TRY(journal.disk_, open_posix_disk(absolute.parent_path().string()));
    journal.name_ = absolute.filename().string();
    if (!fs::exists(absolute, ignored)) return journal;
    SYNCLINE_TRY(journal.file_, journal.disk_->open(journal.name_));
    SYNCLINE_TRY(const std::uint64_t size, journal.file_->size());
    SYNCLINE_TRY(const Bytes bytes, journal.file_->read_at(0, static_cast<std::size_t>(size)));
    SYNCLINE_CHECK(journal.read(bytes));
    return journal;
}

Result<void> ResubmissionJournal::read(BytesView bytes) {
    std::uint64_t lines = 0;
    for (std::size_t end = bytes.find('\n'); end != BytesView::npos;
         end = bytes.find('\n', static_cast<std::size_t>(end_))) {
        const auto begin = static_cast<std::size_t>(end_);
        auto entry = journal_entry_from(bytes.substr(begin, end - begin));
        ++lines;
        if (!entry) {
            return Error{Code::corrupt,
                         "line " + std::to_string(lines) + " of '" + path_ + "' is damaged"};
        }
        entries_.insert_or_assign(entry->first, std::move(entry->second));
        end_ = end + 1;
    }
    return {};
}

const JournalEntry* ResubmissionJournal::find(std::uint64_t number) const {
    const auto found = entries_.find(number);
    return found == entries_.end() ? nullptr : &found->second;
}

Result<void> ResubmissionJournal::note(std::uint64_t number, Entry entry,
                                       const std::string& reason) {
    Json json;
    json["line"] = number;
    json["event"] = to_string(entry.event);
    json["state"] = journal_state_name(entry.state);
    if (entry.state == State::done) {
        json["outcome"] = to_string(entry.result.outcome);
        json["result"] = to_hex(encode_resubmitted(entry.result));
    }
    if (!reason.empty()) json["reason"] = reason;
    const Bytes line = json.dump() + "\n";
    if (file_ == nullptr) {
        SYNCLINE_TRY(file_, disk_->open(name_));
        SYNCLINE_CHECK(disk_->sync_directory());
    }
    SYNCLINE_CHECK(file_->write_at(end_, line));
    SYNCLINE_CHECK(file_->sync());
    end_ += line.size();
    entries_.insert_or_assign(number, std::move(entry));
    return {};
}

}  // namespace syncline
