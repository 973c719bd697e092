#include "tools/completion.hpp"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <vector>

#include "tools/exit_codes.hpp"

namespace syncline {
namespace {

/// What may follow one chain of subcommands: "serve", "config print".
struct Node {
    std::string path;
    std::vector<std::pair<std::string, std::string>> words;  // with their meaning
};

std::string one_line(const std::string& text) {
    std::string line;
    for (const char byte : text) {
        if (byte == '\n') break;
        // Left out rather than escaped in three languages.
        if (byte != '\'' && byte != '"' && byte != '[' && byte != ']' && byte != '\\' &&
            byte != '`' && byte != '$' && byte != ':') {
            line += byte;
        }
    }
    return line;
}

void gather(const CLI::App& app, const std::string& path, std::vector<Node>& nodes) {
    const std::size_t index = nodes.size();
    nodes.push_back({path, {}});
    for (const CLI::App* const sub : app.get_subcommands([](const CLI::App*) { return true; })) {
        nodes[index].words.emplace_back(sub->get_name(), one_line(sub->get_description()));
        gather(*sub, path.empty() ? sub->get_name() : path + " " + sub->get_name(), nodes);
    }
    for (const CLI::Option* const option : app.get_options()) {
        for (const std::string& name : option->get_lnames()) {
            nodes[index].words.emplace_back("--" + name, one_line(option->get_description()));
        }
    }
}

std::string bash_script(const std::vector<Node>& nodes) {
    std::string script =
        "# bash completion for syncline\n"
        "_syncline() {\n"
        "    local path='' i word=${COMP_WORDS[COMP_CWORD]} words=''\n"
        "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
        "        case \"${path:+$path }${COMP_WORDS[i]}\" in\n";
    for (const Node& node : nodes) {
        if (!node.path.empty())
            script += fmt::format("            '{0}') path='{0}' ;;\n", node.path);
    }
    script +=
        "        esac\n"
        "    done\n"
        "    case \"$path\" in\n";
    for (const Node& node : nodes) {
        std::string words;
        for (const auto& word : node.words) words += (words.empty() ? "" : " ") + word.first;
        script += fmt::format("        '{}') words='{}' ;;\n", node.path, words);
    }
    return script +
           "    esac\n"
           "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
           "    # A value is expected, most likely a file.\n"
           "    [ ${#COMPREPLY[@]} -gt 0 ] || mapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n"
           "}\n"
           "complete -o filenames -F _syncline syncline\n";
}

std::string zsh_script(const std::vector<Node>& nodes) {
    std::string script =
        "#compdef syncline\n"
        "_syncline() {\n"
        "    local path_=''\n"
        "    local -i i\n"
        "    local -a words_\n"
        "    for ((i = 2; i < CURRENT; i++)); do\n"
        "        case \"${path_:+$path_ }${words[i]}\" in\n";
    for (const Node& node : nodes) {
        if (!node.path.empty()) {
            script += fmt::format("            '{0}') path_='{0}' ;;\n", node.path);
        }
    }
    script +=
        "        esac\n"
        "    done\n"
        "    case \"$path_\" in\n";
    for (const Node& node : nodes) {
        script += fmt::format("        '{}') words_=(", node.path);
        for (const auto& [word, meaning] : node.words) {
            script += fmt::format("\n            '{}:{}'", word, meaning);
        }
        script += ") ;;\n";
    }
    return script +
           "    esac\n"
           "    _describe syncline words_ || _files\n"
           "}\n"
           "# From a folder of fpath it is run at the first Tab; else it is sourced.\n"
           "if [[ ${funcstack[1]} == _syncline ]]; then\n"
           "    _syncline \"$@\"\n"
           "else\n"
           "    compdef _syncline syncline\n"
           "fi\n";
}

std::string fish_script(const std::vector<Node>& nodes) {
    std::string script =
        "# fish completion for syncline\n"
        "function __syncline_at\n"
        "    set -l path\n"
        "    for word in (commandline -opc)[2..]\n"
        "        string match -q -- '-*' $word; or set -a path $word\n"
        "    end\n"
        "    test \"$path\" = \"$argv\"\n"
        "end\n";
    for (const Node& node : nodes) {
        const std::string condition = fmt::format("__syncline_at {}", node.path);
        for (const auto& [word, meaning] : node.words) {
            const bool option = word.rfind("--", 0) == 0;
            script += fmt::format("complete -c syncline -n '{}' {} {} -d '{}'\n", condition,
                                  option ? "-l" : "-f -a", option ? word.substr(2) : word, meaning);
        }
    }
    return script;
}

}  // namespace

std::string completion_script(const CLI::App& root, const std::string& shell) {
    std::vector<Node> nodes;
    gather(root, "", nodes);
    if (shell == "bash") return bash_script(nodes);
    return shell == "zsh" ? zsh_script(nodes) : fish_script(nodes);
}

std::function<int()> add_completion(CLI::App& app) {
    auto shell = std::make_shared<std::string>();  // of the parse, and of the run after it
    app.add_option("shell", *shell, "bash, zsh or fish")
        ->required()
        ->check(CLI::IsMember({"bash", "zsh", "fish"}));
    return [shell, &app]() {
        fmt::print("{}", completion_script(*app.get_parent(), *shell));
        return exit_ok;
    };
}

}  // namespace syncline
