#include "net/acl/catalog.hpp"
#include "net/acl/key_uses.hpp"
#include "net/commands/arguments.hpp"
#include "net/commands/errors.hpp"
#include "net/commands/fields.hpp"
#include "net/commands/glob.hpp"
#include "net/commands/table.hpp"

namespace syncline {
namespace {

namespace flag = command_flag;

struct FlagName {
    unsigned flag;
    BytesView name;
};
constexpr FlagName flag_names[] = {
    {flag::write, "write"},       {flag::readonly, "readonly"}, {flag::denyoom, "denyoom"},
    {flag::admin, "admin"},       {flag::loading, "loading"},   {flag::fast, "fast"},
    {flag::no_multi, "no_multi"}, {flag::blocking, "blocking"}, {flag::pubsub, "pubsub"},
    {flag::no_auth, "no_auth"},
};

/// The categories that rules of users know, with their '@'.
std::vector<Bytes> categories(const Command& command) {
    std::vector<Bytes> names;
    const std::span<const BytesView> all = acl_category_names();
    const std::uint32_t bits = acl_entry(command).categories;
    for (std::size_t i = 0; i < all.size(); ++i) {
        if ((bits >> i & 1U) != 0) names.push_back("@" + Bytes(all[i]));
    }
    return names;
}

/// Its options name keys, too.
bool is_sort(const Command& command) {
    return command.name == "sort" || command.name == "sort_ro";
}

/// Words with blanks between them, as a set.
void reply_words(RespWriter& reply, BytesView words, bool one_more) {
    const std::vector<BytesView> all = split_words(words);
    reply.set(all.size() + (one_more ? 1 : 0));
    for (const BytesView word : all) reply.simple(word);
}

/// One key specification in the form of Redis 7: where the keys begin and how they go on; `type`
/// names how, and the caller appends its three numbers by name.
void begin_key_spec(RespWriter& reply, const KeyFlags& flags, BytesView words, int index,
                    BytesView type) {
    reply.map(3);
    reply.bulk("flags");
    reply_words(reply, words, flags.vary);
    if (flags.vary) reply.simple("variable_flags");
    reply.bulk("begin_search");
    reply.map(2);
    reply.bulk("type");
    reply.bulk("index");
    reply.bulk("spec");
    reply.map(1);
    reply.bulk("index");
    reply.integer(index);
    reply.bulk("find_keys");
    reply.map(2);
    reply.bulk("type");
    reply.bulk(type);
    reply.bulk("spec");
    reply.map(3);
}

void reply_key_range(RespWriter& reply, const KeyFlags& flags, BytesView words,
                     const KeyPositions& keys) {
    begin_key_spec(reply, flags, words, keys.first, "range");
    field(reply, "lastkey", keys.last < 0 ? keys.last : keys.last - keys.first);
    field(reply, "keystep", keys.step);
    field(reply, "limit", 0);
}

/// Keys that nobody can tell without looking at the whole request.
void reply_unknown_keys(RespWriter& reply, BytesView notes, BytesView words) {
    reply.map(4);
    reply.bulk("notes");
    reply.bulk(notes);
    reply.bulk("flags");
    reply_words(reply, words, false);
    for (const BytesView part : {"begin_search", "find_keys"}) {
        reply.bulk(part);
        reply.map(2);
        reply.bulk("type");
        reply.bulk("unknown");
        reply.bulk("spec");
        reply.map(0);
    }
}

void reply_key_specs(RespWriter& reply, const CommandName& name) {
    const KeyPositions& keys = name.command->keys;
    if (!keys.any()) return reply.set(0);
    const KeyFlags flags = key_flags(name);
    const bool sorts = is_sort(*name.command);
    // Where the first key and those behind it are treated otherwise each have their own.
    const bool more = keys.last < 0 || keys.last > keys.first;
    const bool apart = keys.first > 0 && more && flags.first != flags.others && !sorts;
    const bool stores = sorts && name.command->has(flag::write);
    reply.set((keys.first > 0 ? 1U : 0U) + (apart ? 1U : 0U) + (keys.number > 0 ? 1U : 0U) +
              (sorts ? 1U : 0U) + (stores ? 1U : 0U));
    if (apart) {
        reply_key_range(reply, flags, flags.first, {keys.first, keys.first, 1, 0});
        reply_key_range(reply, flags, flags.others, {keys.first + 1, keys.last, keys.step, 0});
    } else if (keys.first > 0) {
        reply_key_range(reply, flags, flags.first, keys);
    }
    if (keys.number > 0) {
        begin_key_spec(reply, flags, keys.first > 0 ? flags.others : flags.first, keys.number,
                       "keynum");
        field(reply, "keynumidx", 0);
        field(reply, "firstkey", 1);
        field(reply, "keystep", 1);
    }
    if (sorts) {
        reply_unknown_keys(reply, "BY and GET name keys by what the sorted key holds", "RO access");
    }
    if (stores) reply_unknown_keys(reply, "STORE may stand anywhere", "OW update");
}

/// The ten elements of COMMAND INFO. `depth` bounds nothing from outside: subcommands have none.
void reply_info(RespWriter& reply, const CommandName& name) {
    const Command& command = *name.command;
    std::vector<BytesView> flags;
    for (const FlagName& entry : flag_names) {
        if (command.has(entry.flag)) flags.push_back(entry.name);
    }
    if (command.keys.number > 0 || is_sort(command)) flags.push_back("movablekeys");
    reply.array(10);
    reply.bulk(name.full_name());
    reply.integer(command.arity);
    reply.set(flags.size());
    for (const BytesView flag : flags) reply.simple(flag);
    reply.integer(command.keys.first);
    reply.integer(command.keys.last);
    reply.integer(command.keys.step);
    const std::vector<Bytes> acl = categories(command);
    reply.set(acl.size());
    for (const Bytes& category : acl) reply.simple(category);
    reply.set(0);  // tips
    reply_key_specs(reply, name);
    reply.set(command.subcommands.size());
    for (const Command& subcommand : command.subcommands) {
        reply_info(reply, CommandName{&subcommand, &command});
    }
}

void reply_docs(RespWriter& reply, const CommandName& name) {
    const Command& command = *name.command;
    reply.bulk(name.full_name());
    const bool container = !command.subcommands.empty();
    reply.map(container ? 5 : 4);
    reply.bulk("summary");
    reply.bulk(command.summary);
    reply.bulk("since");
    reply.bulk(command.since);
    reply.bulk("group");
    reply.bulk(command.group);
    reply.bulk("complexity");
    reply.bulk(command.complexity);
    if (!container) return;
    reply.bulk("subcommands");
    reply.map(command.subcommands.size());
    for (const Command& subcommand : command.subcommands) {
        reply_docs(reply, CommandName{&subcommand, &command});
    }
}

/// The commands named from argument `first` on, or all; unknown names as empty ones.
std::vector<CommandName> named_commands(const CommandContext& context, std::size_t first) {
    std::vector<CommandName> names;
    for (std::size_t i = first; i < context.count(); ++i) {
        names.push_back(find_full_name(context.argument(i)));
    }
    if (context.count() > first) return names;
    for (const Command* command : all_commands()) names.push_back(CommandName{command, nullptr});
    return names;
}

Result<void> reply_all_info(CommandContext& context, std::size_t first) {
    const std::vector<CommandName> names = named_commands(context, first);
    context.reply.array(names.size());
    for (const CommandName& name : names) {
        if (name.command != nullptr) {
            reply_info(context.reply, name);
        } else {
            context.reply.null();
        }
    }
    return {};
}

Result<void> info_subcommand(CommandContext& context) {
    return reply_all_info(context, 2);
}

Result<void> docs_command(CommandContext& context) {
    std::vector<CommandName> names = named_commands(context, 2);
    std::erase_if(names, [](const CommandName& name) { return name.command == nullptr; });
    context.reply.map(names.size());
    for (const CommandName& name : names) reply_docs(context.reply, name);
    return {};
}

Result<void> count_command(CommandContext& context) {
    context.reply.integer(static_cast<std::int64_t>(all_commands().size()));
    return {};
}

/// COMMAND LIST [FILTERBY MODULE name | ACLCAT category | PATTERN glob].
Result<void> list_command(CommandContext& context) {
    using Filter = bool (*)(const CommandName&, const Bytes&);
    struct FilterName {
        BytesView name;
        Filter filter;
    };
    constexpr FilterName filters[] = {
        {"module", [](const CommandName&, const Bytes&) { return false; }},
        {"aclcat",
         [](const CommandName& name, const Bytes& wanted) {
             for (const Bytes& category : categories(*name.command)) {
                 if (equal_nocase(BytesView(category).substr(1), wanted)) return true;
             }
             return false;
         }},
        {"pattern",
         [](const CommandName& name, const Bytes& pattern) {
             return glob_match_nocase(pattern, name.full_name());
         }},
    };
    Filter filter = [](const CommandName&, const Bytes&) { return true; };
    if (context.count() > 2) {
        const FilterName* found = nullptr;
        for (const FilterName& entry : filters) {
            const bool fits = context.count() == 5 && equal_nocase(context.argument(2), "filterby");
            if (fits && equal_nocase(context.argument(3), entry.name)) found = &entry;
        }
        if (found == nullptr) {
            context.reply.error(error_text::syntax);
            return {};
        }
        filter = found->filter;
    }
    std::vector<Bytes> names;
    const auto add = [&](const CommandName& name) {
        const Bytes& value = context.argument(context.count() - 1);
        if (filter(name, value)) names.push_back(name.full_name());
    };
    for (const Command* command : all_commands()) {
        add(CommandName{command, nullptr});
        for (const Command& sub : command->subcommands) add(CommandName{&sub, command});
    }
    context.reply.array(names.size());
    for (const Bytes& name : names) context.reply.bulk(name);
    return {};
}

/// The keys of the request behind COMMAND GETKEYS and its kin; nothing: an error was replied.
std::optional<KeyUses> asked_keys(CommandContext& context) {
    const auto asked = std::span(context.arguments).subspan(2);
    const CommandName name = find_requested(asked);
    if (name.command == nullptr) {
        context.reply.error("ERR Invalid command specified");
    } else if (!name.command->keys.any()) {
        context.reply.error("ERR The command has no key arguments");
    } else if (!name.command->takes(asked.size())) {
        context.reply.error("ERR Invalid number of arguments specified for command");
    } else if (!key_indices(*name.command, asked)) {
        context.reply.error("ERR Invalid arguments specified for command");
    } else {
        return key_uses(name, asked);
    }
    return std::nullopt;
}

Result<void> getkeys_command(CommandContext& context) {
    const std::optional<KeyUses> uses = asked_keys(context);
    if (!uses) return {};
    context.reply.array(uses->keys.size());
    for (const KeyUse& use : uses->keys) context.reply.bulk(context.argument(use.index + 2));
    return {};
}

Result<void> getkeysandflags_command(CommandContext& context) {
    const std::optional<KeyUses> uses = asked_keys(context);
    if (!uses) return {};
    context.reply.array(uses->keys.size());
    for (const KeyUse& use : uses->keys) {
        context.reply.array(2);
        context.reply.bulk(context.argument(use.index + 2));
        reply_words(context.reply, use.flags, false);
    }
    return {};
}

Result<void> help_command(CommandContext& context) {
    constexpr BytesView lines[] = {
        "COMMAND <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "(no subcommand)",
        "    What INFO says of all commands.",
        "COUNT",
        "    The number of commands.",
        "DOCS [<command> ...]",
        "    What these commands, or all, are for.",
        "GETKEYS <command> [<arg> ...]",
        "    The keys in a command with its arguments.",
        "GETKEYSANDFLAGS <command> [<arg> ...]",
        "    The same, and what the command does to each.",
        "INFO [<command> ...]",
        "    Arity, flags and places of the keys of these commands, or of all.",
        "LIST [FILTERBY (MODULE <name>|ACLCAT <category>|PATTERN <pattern>)]",
        "    The names of the commands.",
        "HELP",
        "    These lines.",
    };
    reply_help(context.reply, lines);
    return {};
}

constexpr BytesView group = "server";

// A row is easier to read in few lines.
// clang-format off
constexpr Command subcommands[] = {
    {"count", 2, flag::loading, {}, group, "2.8.13", "O(1)", "Returns the number of commands",
     count_command, {}},
    {"docs", -2, flag::loading, {}, group, "7.0.0", "O(N) with N commands",
     "Returns what commands are for", docs_command, {}},
    {"getkeys", -4, flag::loading, {}, group, "2.8.13", "O(N) with N arguments",
     "Returns the keys in a command with its arguments", getkeys_command, {}},
    {"getkeysandflags", -4, flag::loading, {}, group, "7.0.0", "O(N) with N arguments",
     "Returns the keys in a command with its arguments, and what it does to them",
     getkeysandflags_command, {}},
    {"help", 2, flag::loading, {}, group, "5.0.0", "O(1)", "Returns what the subcommands are for",
     help_command, {}},
    {"info", -2, flag::loading, {}, group, "2.8.13", "O(N) with N commands",
     "Returns arity, flags and key positions of commands", info_subcommand, {}},
    {"list", -2, flag::loading, {}, group, "7.0.0", "O(N) with N commands",
     "Returns the names of commands", list_command, {}},
};
// clang-format on

}  // namespace

Result<void> command_command(CommandContext& context) {
    return reply_all_info(context, 1);
}

std::span<const Command> command_subcommands() {
    return subcommands;
}

}  // namespace syncline
