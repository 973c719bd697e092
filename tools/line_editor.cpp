#include "tools/line_editor.hpp"

#include <histedit.h>
#include <langinfo.h>

#include <algorithm>
#include <cerrno>
#include <clocale>
#include <cstdio>
#include <cstring>
#include <cwchar>
#include <utility>

#include "tools/console.hpp"

namespace syncline {
namespace {

constexpr int history_lines = 1000;
/// More words than this are counted instead of listed.
constexpr std::size_t listed_max = 200;

/// Letters of more than one byte are edited as one; what the locale does not know is taken as such.
void choose_locale() {
    (void)std::setlocale(LC_CTYPE, "");
    if (std::strcmp(::nl_langinfo(CODESET), "UTF-8") != 0) {
        (void)std::setlocale(LC_CTYPE, "C.UTF-8");
    }
}

std::string listed(const std::vector<std::string>& words, std::size_t width) {
    if (words.size() > listed_max) return std::to_string(words.size()) + " are possible\n";
    std::size_t widest = 0;
    for (const std::string& word : words) widest = std::max(widest, word.size());
    const std::size_t in_a_row = std::max<std::size_t>(1, width / (widest + 2));
    std::string text;
    for (std::size_t i = 0; i < words.size(); ++i) {
        const bool last = i + 1 == words.size() || (i + 1) % in_a_row == 0;
        text += words[i];
        text += last ? "\n" : std::string(widest + 2 - words[i].size(), ' ');
    }
    return text;
}

}  // namespace

std::string common_start(const std::vector<std::string>& words) {
    if (words.empty()) return {};
    std::string start = words.front();
    for (const std::string& word : words) {
        const auto [end, other] =
            std::mismatch(start.begin(), start.end(), word.begin(), word.end());
        (void)other;  // where it ends in the word
        start.erase(end, start.end());
    }
    return start;
}

struct LineEditor::Handles {
    EditLine* editor = nullptr;
    History* history = nullptr;
    HistEvent event{};
    std::string prompt;
    Offer offer;
    bool cancelled = false;

    static Handles& of(EditLine* editor) {
        void* data = nullptr;
        ::el_get(editor, EL_CLIENTDATA, &data);
        return *static_cast<Handles*>(data);
    }
    static char* prompt_of(EditLine* editor) { return of(editor).prompt.data(); }

    static unsigned char cancel(EditLine* editor, wint_t /*key*/) {
        of(editor).cancelled = true;
        std::fputs("^C\n", stdout);
        return CC_NEWLINE;
    }

    static unsigned char complete(EditLine* editor, wint_t /*key*/) {
        const LineInfo* const line = ::el_line(editor);
        const std::string_view before(line->buffer,
                                      static_cast<std::size_t>(line->cursor - line->buffer));
        const LineOffer offer = of(editor).offer(before);
        if (offer.completions.empty()) {
            if (offer.hint.empty()) return CC_REFRESH_BEEP;
            std::printf("\n%s\n", offer.hint.c_str());
            return CC_REDISPLAY;
        }
        std::string start = common_start(offer.completions);
        if (offer.completions.size() == 1) {
            start += ' ';
        } else if (start.size() <= offer.word_bytes) {
            const std::size_t width = console_style("never").width;
            std::printf("\n%s", listed(offer.completions, width == 0 ? 80 : width).c_str());
            return CC_REDISPLAY;
        }
        ::el_deletestr(editor, static_cast<int>(offer.word_bytes));
        return ::el_insertstr(editor, start.c_str()) == 0 ? CC_REFRESH : CC_REFRESH_BEEP;
    }
};

LineEditor::LineEditor() : handles_(std::make_unique<Handles>()) {}

LineEditor::~LineEditor() {
    if (handles_->editor != nullptr) ::el_end(handles_->editor);
    if (handles_->history != nullptr) ::history_end(handles_->history);
}

Result<std::unique_ptr<LineEditor>> LineEditor::create(Offer offer) {
    choose_locale();
    std::unique_ptr<LineEditor> made(new LineEditor());
    Handles& handles = *made->handles_;
    handles.offer = std::move(offer);
    handles.editor = ::el_init("syncline", stdin, stdout, stderr);
    handles.history = ::history_init();
    if (handles.editor == nullptr || handles.history == nullptr) {
        return Error{Code::io, "the terminal cannot be used"};
    }
    ::history(handles.history, &handles.event, H_SETSIZE, history_lines);
    ::history(handles.history, &handles.event, H_SETUNIQUE, 1);
    EditLine* const editor = handles.editor;
    ::el_set(editor, EL_CLIENTDATA, &handles);
    ::el_set(editor, EL_PROMPT, &Handles::prompt_of);
    ::el_set(editor, EL_EDITOR, "emacs");
    ::el_set(editor, EL_HIST, &::history, handles.history);
    // Wide texts stay ours; of others libedit makes copies that it never frees.
    ::el_wset(editor, EL_ADDFN, L"syncline-complete", L"Complete, or tell", &Handles::complete);
    ::el_wset(editor, EL_ADDFN, L"syncline-cancel", L"Clear the line", &Handles::cancel);
    ::el_set(editor, EL_BIND, "^I", "syncline-complete", nullptr);
    ::el_set(editor, EL_BIND, "^R", "em-inc-search-prev", nullptr);
    // While a line is edited Ctrl-C is a key; else it is a signal.
    ::el_set(editor, EL_SETTY, "-d", "-intr", nullptr);
    ::el_set(editor, EL_BIND, "^C", "syncline-cancel", nullptr);
    ::el_set(editor, EL_SIGNAL, 1);
    ::el_source(editor, nullptr);  // there need not be one
    return made;
}

std::optional<std::string> LineEditor::read(const std::string& prompt) {
    handles_->prompt = prompt;
    handles_->cancelled = false;
    int count = 0;
    const char* const text = ::el_gets(handles_->editor, &count);
    if (handles_->cancelled) return std::string();
    if (text == nullptr && count < 0 && errno == EINTR) return std::string();
    if (text == nullptr || count <= 0) return std::nullopt;
    std::string line(text, static_cast<std::size_t>(count));
    while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.pop_back();
    return line;
}

void LineEditor::add_history(const std::string& line) {
    ::history(handles_->history, &handles_->event, H_ENTER, line.c_str());
}

}  // namespace syncline
