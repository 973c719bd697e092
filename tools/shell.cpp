/// syncline shell: commands from a terminal, a script or the command line, and their replies.
#include "tools/shell.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <iostream>
#include <memory>

#include "net/commands/arguments.hpp"
#include "net/endpoint.hpp"
#include "net/resp.hpp"
#include "tools/command_help.hpp"
#include "tools/console.hpp"
#include "tools/exit_codes.hpp"
#include "tools/line_editor.hpp"
#include "tools/login.hpp"
#include "tools/reply_text.hpp"
#include "tools/shell_history.hpp"
#include "tools/shell_session.hpp"

namespace syncline {
namespace {

constexpr std::uint64_t times_max = 1'000'000;

struct ShellLine {
    std::string connect = "127.0.0.1:7379";
    Login login;
    std::uint64_t database = 0;
    std::vector<std::string> execute;
    std::vector<std::string> words;
    bool resp3 = false;
    bool raw = false;
    bool typed = false;
    bool json = false;
};

/// Ctrl-C, since it was last asked for. A handler that does not restart calls, so that reads end.
volatile std::sig_atomic_t interrupts = 0;

void catch_interrupts() {
    struct sigaction action {};
    action.sa_handler = [](int) { interrupts = 1; };
    sigemptyset(&action.sa_mask);
    (void)::sigaction(SIGINT, &action, nullptr);  // SIGINT can be caught
}

bool take_interrupt() {
    const bool interrupted = interrupts != 0;
    interrupts = 0;
    return interrupted;
}

void print_text(std::string_view text) {
    (void)std::fwrite(text.data(), 1, text.size(), stdout);
    (void)std::fflush(stdout);  // whoever reads it has gone, if that fails
}

/// What is text made for people, with its own line ends.
bool is_verbatim(const std::vector<Bytes>& words) {
    const auto is_pair = [&](std::string_view name, std::string_view sub) {
        return words.size() >= 2 && equal_nocase(words[0], name) && equal_nocase(words[1], sub);
    };
    return equal_nocase(words[0], "info") || equal_nocase(words[0], "lolwut") ||
           is_pair("memory", "doctor") || is_pair("memory", "malloc-stats") ||
           is_pair("client", "list") || is_pair("client", "info") || is_pair("latency", "graph") ||
           (words.size() == 2 && (is_pair("latency", "doctor") || is_pair("cluster", "info") ||
                                  is_pair("cluster", "nodes")));
}

/// Takes lines, from wherever they come.
class Shell {
public:
    enum class Did : std::uint8_t { well, failed, interrupted, unreachable, quit };

    Shell(ShellTarget target, ReplyFormat format)
        : session_(std::move(target), take_interrupt),
          format_(format),
          terminal_(::isatty(STDOUT_FILENO) == 1) {}

    [[nodiscard]] ShellSession& session() { return session_; }

    Did run_line(const std::string& line) {
        const std::optional<std::vector<Bytes>> words = split_arguments(line);
        if (!words) {
            fmt::print(stderr, "Invalid argument(s)\n");
            return Did::failed;
        }
        return words->empty() ? Did::well : run_words(*words);
    }

    Did run_words(std::vector<Bytes> words) {
        std::uint64_t times = 1;
        const std::optional<std::int64_t> repeats =
            words.size() > 1 ? parse_integer(words[0]) : std::nullopt;
        if (repeats && *repeats > 0) {
            times = std::min(static_cast<std::uint64_t>(*repeats), times_max);
            words.erase(words.begin());
        }
        if (const std::optional<Did> own = run_own(words)) return *own;
        Did did = Did::well;
        for (std::uint64_t i = 0; i < times && did == Did::well; ++i) did = run_command(words);
        return did;
    }

private:
    /// Words of the shell itself.
    std::optional<Did> run_own(const std::vector<Bytes>& words) {
        if (equal_nocase(words[0], "quit") || equal_nocase(words[0], "exit")) return Did::quit;
        if (equal_nocase(words[0], "help") || words[0] == "?") return help(words);
        if (equal_nocase(words[0], "clear") && words.size() == 1) {
            if (terminal_) print_text("\x1b[H\x1b[2J");
            return Did::well;
        }
        if (!equal_nocase(words[0], "connect") || words.size() > 3) return std::nullopt;
        Result<TcpEndpoint> endpoint =
            parse_endpoint(words.size() == 3 ? words[1] + ":" + words[2] : words.back());
        if (!endpoint) return told(endpoint.error());
        session_.retarget(std::move(*endpoint));
        const Result<void> connected = session_.connect();
        return connected ? Did::well : told(connected.error());
    }

    Did help(const std::vector<Bytes>& words) {
        if (words.size() == 1) {
            print_text(
                "help COMMAND     how a command is written, and what it does; Tab does so, too\n"
                "help @GROUP      the commands of a group\n"
                "N COMMAND        the same command N times\n"
                "connect HOST:PORT, clear, quit\n"
                "Groups:\n" +
                group_help(""));
            return Did::well;
        }
        std::string text = words[1].rfind('@', 0) == 0
                               ? group_help(std::string_view(words[1]).substr(1))
                               : command_help({words.begin() + 1, words.end()});
        if (text.empty()) {
            fmt::print(stderr, "There is no command or group of this name\n");
            return Did::failed;
        }
        print_text(text);
        return Did::well;
    }

    Did run_command(const std::vector<Bytes>& words) {
        const bool verbatim = is_verbatim(words) && format_ != ReplyFormat::json;
        const ReplyFormat format = verbatim ? ReplyFormat::verbatim : format_;
        if (terminal_ && ShellSession::is_stream(words) && !equal_nocase(words[0], "monitor")) {
            print_text("Reading messages... (press Ctrl-C to quit)\n");
        }
        const Result<ShellSession::Ended> ended = session_.run(
            words, [&](const RespValue& reply) { print_text(reply_text(reply, format)); });
        if (!ended) return told(ended.error());
        switch (*ended) {
            case ShellSession::Ended::refused:
                return Did::failed;
            case ShellSession::Ended::interrupted:
                if (terminal_) print_text("\n");
                return ShellSession::is_stream(words) ? Did::well : Did::interrupted;
            default:
                return Did::well;
        }
    }

    static Did told(const Error& error) {
        fmt::print(stderr, "syncline: {}\n", error.message);
        if (error.code == Code::unavailable) return Did::unreachable;
        return Did::failed;
    }

    ShellSession session_;
    ReplyFormat format_;
    bool terminal_;
};

LineOffer offer_for(std::string_view before) {
    const std::optional<std::vector<Bytes>> split = split_arguments(before);
    LineOffer offer;
    if (!split) return offer;
    std::vector<std::string> words = *split;
    const bool begun = !before.empty() && before.back() != ' ' && !words.empty();
    if (!begun) words.emplace_back();
    const std::string& word = words.back();
    const bool plain =
        before.size() >= word.size() && before.substr(before.size() - word.size()) == word;
    if (!plain) return offer;  // quotes
    std::vector<std::string> asked = words;
    if (asked.size() > 1 && (equal_nocase(asked[0], "help") || parse_integer(asked[0]))) {
        asked.erase(asked.begin());
    }
    offer.completions = command_completions(asked);
    offer.word_bytes = word.size();
    if (offer.completions.empty()) offer.hint = command_syntax(command_in(asked));
    return offer;
}

int exit_code_of(Shell::Did did) {
    switch (did) {
        case Shell::Did::failed:
        case Shell::Did::interrupted:
            return exit_failed;
        case Shell::Did::unreachable:
            return exit_unreachable;
        default:
            return exit_ok;
    }
}

int run_terminal(Shell& shell) {
    Result<std::unique_ptr<LineEditor>> editor = LineEditor::create(offer_for);
    if (!editor) return report_failure(editor.error());
    ShellHistory history(ShellHistory::default_path());
    for (const std::string& line : history.load()) (*editor)->add_history(line);
    const Result<void> connected = shell.session().connect();
    if (!connected) fmt::print(stderr, "syncline: {}\n", connected.error().message);
    while (true) {
        const std::optional<std::string> line = (*editor)->read(shell.session().prompt());
        if (!line) {
            print_text("\n");
            return exit_ok;
        }
        if (line->find_first_not_of(" \t") == std::string::npos) continue;
        const std::optional<std::vector<Bytes>> words = split_arguments(*line);
        if (words && !is_sensitive(*words)) {
            (*editor)->add_history(*line);
            history.add(*line);
        }
        (void)take_interrupt();  // one from before is not for this line
        if (shell.run_line(*line) == Shell::Did::quit) return exit_ok;
    }
}

/// Line after line; the first that failed decides the exit code, and a server that is gone ends it.
int run_script(Shell& shell) {
    Shell::Did worst = Shell::Did::well;
    for (std::string line; std::getline(std::cin, line);) {
        if (line.rfind('#', 0) == 0) continue;
        const Shell::Did did = shell.run_line(line);
        if (did == Shell::Did::quit) break;
        if (did == Shell::Did::unreachable || did == Shell::Did::interrupted) {
            return exit_code_of(did);
        }
        if (worst == Shell::Did::well) worst = did;
    }
    return exit_code_of(worst);
}

int run_given(Shell& shell, const ShellLine& line) {
    Shell::Did worst = Shell::Did::well;
    for (const std::string& text : line.execute) {
        const Shell::Did did = shell.run_line(text);
        if (did != Shell::Did::well && did != Shell::Did::failed) return exit_code_of(did);
        if (worst == Shell::Did::well) worst = did;
    }
    if (worst != Shell::Did::well || line.words.empty()) return exit_code_of(worst);
    return exit_code_of(shell.run_words(line.words));
}

ReplyFormat format_of(const ShellLine& line) {
    if (line.json) return ReplyFormat::json;
    if (line.typed) return ReplyFormat::typed;
    const bool terminal = ::isatty(STDOUT_FILENO) == 1;
    return line.raw || !terminal ? ReplyFormat::raw : ReplyFormat::typed;
}

Result<ShellTarget> target_of(const ShellLine& line) {
    ShellTarget target;
    SYNCLINE_TRY(target.endpoint, parse_endpoint(line.connect));
    SYNCLINE_TRY(const std::optional<Secret> password, password_of(line.login));
    if (password) target.password = std::string(password->view());
    target.login = line.login;
    target.user = line.login.user;
    target.database = line.database;
    target.protocol = line.resp3 ? 3 : 2;
    return target;
}

int run_shell(const ShellLine& line) {
    if (!line.words.empty() && line.words[0].rfind('-', 0) == 0) {
        fmt::print(stderr, "syncline: there is no option '{}'\n", harmless(line.words[0]));
        return exit_usage;
    }
    Result<ShellTarget> target = target_of(line);
    if (!target) return report_failure(target.error());
    catch_interrupts();
    Shell shell(std::move(*target), format_of(line));
    if (!line.execute.empty() || !line.words.empty()) return run_given(shell, line);
    return ::isatty(STDIN_FILENO) == 1 ? run_terminal(shell) : run_script(shell);
}

}  // namespace

std::function<int()> add_shell(CLI::App& app) {
    auto line = std::make_shared<ShellLine>();  // of the parse, and of the run after it
    app.add_option("--connect", line->connect, "The client port of a server")
        ->capture_default_str()
        ->type_name("HOST:PORT");
    add_login(app, line->login);
    app.add_option("-n,--db", line->database, "The database, where there are several")
        ->check(CLI::NonNegativeNumber)
        ->type_name("N");
    app.add_option("-e,--execute", line->execute, "A line to be run, instead of reading lines")
        ->allow_extra_args(false)
        ->type_name("LINE");
    app.add_flag("--resp3", line->resp3, "Speak RESP3: maps, sets, doubles and so on");
    CLI::Option* const raw =
        app.add_flag("--raw", line->raw, "Bytes of replies as they are, as when no terminal reads");
    CLI::Option* const typed =
        app.add_flag("--no-raw", line->typed, "Replies with their types, also into a file")
            ->excludes(raw);
    app.add_flag("--json", line->json, "Replies as lines of JSON")->excludes(raw)->excludes(typed);
    app.prefix_command();
    return [line, &app]() {
        line->words = app.remaining();
        return run_shell(*line);
    };
}

}  // namespace syncline
