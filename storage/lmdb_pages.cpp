#include "storage/lmdb_pages.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "storage/descriptor.hpp"

namespace syncline {
namespace {

// The layout of LMDB 0.9 (mdb.c: MDB_page, MDB_node, MDB_db, MDB_meta), 64-bit and little endian.
constexpr std::size_t page_header_bytes = 16;
constexpr std::size_t node_header_bytes = 8;
constexpr std::size_t database_bytes = 48;
/// How much of a meta page is read: one sector, which is written as a whole.
constexpr std::size_t meta_bytes = 512;
/// Where on it stands the number of the commit.
constexpr std::size_t meta_number_at = page_header_bytes + 128;
constexpr std::uint32_t meta_magic = 0xBEEFC0DE;
constexpr std::uint32_t data_version = 1;
constexpr unsigned flag_branch = 0x01;
constexpr unsigned flag_leaf = 0x02;
constexpr unsigned flag_overflow = 0x04;
constexpr unsigned flag_meta = 0x08;
constexpr unsigned node_big = 0x01;
constexpr unsigned node_database = 0x02;
constexpr unsigned tree_number_keys = 0x08;
constexpr std::uint64_t no_page = ~std::uint64_t{0};
constexpr std::size_t findings_max = 100;
constexpr unsigned depth_max = 32;
constexpr std::size_t key_bytes_max = 511;
/// A row: a value of 8 MiB, or what siblings make of it; nothing that is sound is larger.
constexpr std::uint64_t value_bytes_max = std::uint64_t{1} << 31;
/// How many pages behind the end of the file are believed in: each costs a byte of memory.
constexpr std::uint64_t pages_unwritten_max = std::uint64_t{1} << 24;
constexpr std::uint64_t progress_pages = 256;

template <typename Number>
Number number_at(BytesView bytes, std::size_t at) {
    Number number = 0;
    std::memcpy(&number, bytes.data() + at, sizeof(number));
    return number;
}

bool is_meta(BytesView page) {
    return page.size() == meta_bytes && (number_at<std::uint16_t>(page, 10) & flag_meta) != 0 &&
           number_at<std::uint32_t>(page, 16) == meta_magic &&
           number_at<std::uint32_t>(page, 20) == data_version;
}

Error file_error(const std::string& action, int number) {
    return Error{number == ENOSPC ? Code::no_space : Code::io,
                 action + " the data file: " + std::strerror(number)};
}

/// What is there; less than asked for at the end of the file.
Result<Bytes> read_from(int file, std::uint64_t offset, std::size_t bytes) {
    Bytes buffer(bytes, '\0');
    std::size_t done = 0;
    while (done < bytes) {
        const ssize_t got =
            ::pread(file, buffer.data() + done, bytes - done, static_cast<off_t>(offset + done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return file_error("read", errno);
        if (got == 0) break;
        done += static_cast<std::size_t>(got);
    }
    buffer.resize(done);
    return buffer;
}

struct MetaPages {
    std::array<Bytes, 2> bytes;
    std::array<std::uint64_t, 2> numbers{};  ///< of the commits
    bool sound = false;                      ///< both are meta pages
    std::size_t page_bytes = 0;
};

/// Damaged or torn pages are no error here: `sound` says it.
Result<MetaPages> read_meta_pages(int file) {
    MetaPages pages;
    SYNCLINE_TRY(pages.bytes[0], read_from(file, 0, meta_bytes));
    if (!is_meta(pages.bytes[0])) return pages;
    pages.page_bytes = number_at<std::uint32_t>(pages.bytes[0], page_header_bytes + 24);
    SYNCLINE_TRY(pages.bytes[1], read_from(file, pages.page_bytes, meta_bytes));
    if (!is_meta(pages.bytes[1])) return pages;
    pages.sound = true;
    for (std::size_t index = 0; index < 2; ++index) {
        pages.numbers[index] = number_at<std::uint64_t>(pages.bytes[index], meta_number_at);
    }
    return pages;
}

struct Tree {
    std::string name;
    unsigned flags = 0;
    unsigned depth = 0;
    std::uint64_t branch_pages = 0;
    std::uint64_t leaf_pages = 0;
    std::uint64_t overflow_pages = 0;
    std::uint64_t rows = 0;
    std::uint64_t root = no_page;
};

Tree tree_at(BytesView bytes, std::string name) {
    Tree tree;
    tree.name = std::move(name);
    tree.flags = number_at<std::uint16_t>(bytes, 4);
    tree.depth = number_at<std::uint16_t>(bytes, 6);
    tree.branch_pages = number_at<std::uint64_t>(bytes, 8);
    tree.leaf_pages = number_at<std::uint64_t>(bytes, 16);
    tree.overflow_pages = number_at<std::uint64_t>(bytes, 24);
    tree.rows = number_at<std::uint64_t>(bytes, 32);
    tree.root = number_at<std::uint64_t>(bytes, 40);
    return tree;
}

struct Node {
    unsigned flags = 0;
    BytesView key;
    BytesView data;           ///< of a leaf, as it stands on the page
    std::uint64_t bytes = 0;  ///< of the data, wherever they stand
    std::uint64_t child = 0;  ///< of a branch
    bool damaged = false;     ///< a row that fails its checksum
};

/// `bytes` grows by what the node takes on the page.
std::optional<Node> node_at(BytesView page, std::size_t index, std::size_t upper, bool leaf,
                            std::size_t& bytes) {
    const std::size_t at = number_at<std::uint16_t>(page, page_header_bytes + 2 * index);
    if (at < upper || at % 2 != 0 || at + node_header_bytes > page.size()) return std::nullopt;
    const std::uint64_t low = number_at<std::uint16_t>(page, at);
    const std::uint64_t high = number_at<std::uint16_t>(page, at + 2);
    Node node;
    node.flags = number_at<std::uint16_t>(page, at + 4);
    const std::size_t key_bytes = number_at<std::uint16_t>(page, at + 6);
    if (key_bytes > key_bytes_max) return std::nullopt;
    std::size_t data_bytes = 0;
    if (leaf) {
        node.bytes = low | high << 16;
        data_bytes = (node.flags & node_big) != 0 ? sizeof(std::uint64_t)
                                                  : static_cast<std::size_t>(node.bytes);
        if ((node.flags & ~(node_big | node_database)) != 0) return std::nullopt;
    } else {
        node.child = low | high << 16 | std::uint64_t{node.flags} << 32;
    }
    const std::size_t taken = node_header_bytes + key_bytes + data_bytes;
    if (data_bytes > page.size() || at + taken > page.size()) return std::nullopt;
    bytes += taken + (taken & 1);
    node.key = page.substr(at + node_header_bytes, key_bytes);
    node.data = page.substr(at + node_header_bytes + key_bytes, data_bytes);
    return node;
}

/// Nothing, or what is wrong with the bounds of a page and the places of its nodes.
std::optional<std::string> read_nodes(BytesView page, bool leaf, std::vector<Node>& nodes) {
    const std::size_t lower = number_at<std::uint16_t>(page, 12);
    const std::size_t upper = number_at<std::uint16_t>(page, 14);
    if (lower < page_header_bytes || lower % 2 != 0 || lower > upper || upper > page.size() ||
        lower == page_header_bytes) {
        return "has impossible bounds";
    }
    nodes.resize((lower - page_header_bytes) / 2);
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        const std::optional<Node> node = node_at(page, i, upper, leaf, bytes);
        if (!node) return "has a node " + std::to_string(i) + " that is not on it";
        nodes[i] = *node;
    }
    if (bytes != page.size() - upper) return "has nodes that overlap";
    return std::nullopt;
}

class Walk {
public:
    Walk(int file, const PageRowCheck& check_row, const PageProgress& progress,
         const std::vector<std::string>& unread)
        : file_(file), check_row_(check_row), progress_(progress) {
        for (const std::string& table : unread) unread_.push_back("table " + table);
    }

    Result<PageReport> run() {
        SYNCLINE_CHECK(read_meta());
        state_.assign(report_.pages, unseen);
        SYNCLINE_CHECK(walk_tree(free_));
        check_end();
        std::vector<Tree> tables;
        tables_ = &tables;
        SYNCLINE_CHECK(walk_tree(main_));
        tables_ = nullptr;
        for (const Tree& table : tables) SYNCLINE_CHECK(walk_tree(table));
        return std::move(report_);
    }

private:
    enum PageState : std::uint8_t { unseen, used, free };

    struct Place {  // a page still to be walked, and what the pages above say of it
        std::uint64_t page = 0;
        unsigned depth = 1;
        Bytes from;               // keys are not below
        std::optional<Bytes> to;  // and are below this
    };

    void fault(std::string what) {
        ++report_.faults;
        find(std::move(what));
    }
    void find(std::string what) {
        if (report_.findings.size() < findings_max) report_.findings.push_back(std::move(what));
    }

    Result<Bytes> read(std::uint64_t offset, std::size_t bytes) const {
        return read_from(file_, offset, bytes);
    }

    /// The newer of the two states that LMDB keeps; it takes the same one.
    Result<void> read_meta() {
        struct stat status {};
        if (::fstat(file_, &status) != 0) return Error{Code::io, "stat of the data file failed"};
        const auto file_bytes = static_cast<std::uint64_t>(status.st_size);
        bool any = false;
        std::uint64_t newest = 0;
        std::uint64_t last_page = 0;
        for (std::uint64_t index = 0; index < 2; ++index) {
            SYNCLINE_TRY(const Bytes page, read(index * page_bytes_, meta_bytes));
            if (!is_meta(page)) {
                fault("meta page " + std::to_string(index) + " is none");
                continue;
            }
            const BytesView meta = BytesView(page).substr(page_header_bytes);
            const auto number = number_at<std::uint64_t>(page, meta_number_at);
            if (index == 0) page_bytes_ = number_at<std::uint32_t>(meta, 24);
            if (page_bytes_ < 512 || page_bytes_ > 32768 || (page_bytes_ & 511) != 0) {
                return Error{Code::corrupt, "the data file names an impossible page size"};
            }
            if (any && number <= newest) continue;
            any = true;
            newest = number;
            free_ = tree_at(meta.substr(24), "the free list");
            main_ = tree_at(meta.substr(24 + database_bytes), "the list of tables");
            last_page = number_at<std::uint64_t>(meta, 120);
        }
        if (!any) return Error{Code::corrupt, "the data file has no state"};
        pages_there_ = file_bytes / page_bytes_;
        if (last_page < 1 || last_page >= pages_there_ + pages_unwritten_max) {
            return Error{Code::corrupt, "the data file has " + std::to_string(file_bytes) +
                                            " bytes, too few for its last page " +
                                            std::to_string(last_page)};
        }
        report_.pages = last_page + 1;
        return {};
    }

    /// Pages that a transaction took at the end of the file and gave back were never written. They
    /// are on the free list, all of them.
    void check_end() {
        for (std::uint64_t page = pages_there_; page < report_.pages; ++page) {
            if (state_[page] == free) continue;
            return fault("page " + std::to_string(page) + " of " + std::to_string(report_.pages) +
                         " is neither in the file nor free");
        }
    }

    /// False, and a fault, when the pages are none of the file's.
    bool is_there(std::uint64_t page, std::uint64_t count, const Tree& tree) {
        if (page >= 2 && page < report_.pages && count <= report_.pages - page) return true;
        fault(tree.name + " points to page " + std::to_string(page) + ", which is not there");
        return false;
    }

    /// False, and a fault, when the pages cannot be used by the one who points to them.
    bool take(std::uint64_t page, std::uint64_t count, const Tree& tree) {
        if (!is_there(page, count, tree)) return false;
        for (std::uint64_t i = page; i < page + count; ++i) {
            if (state_[i] != unseen) {
                fault("page " + std::to_string(i) + " of " + tree.name +
                      (state_[i] == free ? " is on the free list as well" : " is used twice"));
                return false;
            }
        }
        for (std::uint64_t i = page; i < page + count; ++i) state_[i] = used;
        report_.pages_used += count;
        return true;
    }

    Result<void> walk_tree(const Tree& tree) {
        if (tree.flags != (&tree == &free_ ? tree_number_keys : 0)) {
            fault(tree.name + " has flags that change the order of its keys");
        }
        Tree counted;
        std::vector<Place> places;
        if (tree.root != no_page) places.push_back(Place{tree.root, 1, {}, std::nullopt});
        const std::uint64_t faults_before = report_.faults;
        const bool read = std::find(unread_.begin(), unread_.end(), tree.name) == unread_.end();
        while (!places.empty()) {
            const Place place = std::move(places.back());
            places.pop_back();
            if (read || place.depth != tree.depth) {
                SYNCLINE_CHECK(walk_page(tree, place, counted, places));
            } else if (take(place.page, 1, tree)) {
                ++counted.leaf_pages;
            }
            if (++walked_ % progress_pages == 0 && progress_ &&
                !progress_(report_.pages_used + report_.pages_free, report_.pages)) {
                return Error{Code::unavailable, "given up"};
            }
        }
        const bool same = counted.branch_pages == tree.branch_pages &&
                          counted.leaf_pages == tree.leaf_pages &&
                          (!read || (counted.overflow_pages == tree.overflow_pages &&
                                     counted.rows == tree.rows && counted.depth == tree.depth));
        if (!same && report_.faults == faults_before) {
            fault("the pages and rows of " + tree.name + " are not as many as it says");
        }
        return {};
    }

    Result<void> walk_page(const Tree& tree, const Place& place, Tree& counted,
                           std::vector<Place>& places) {
        if (!take(place.page, 1, tree)) return {};
        SYNCLINE_TRY(const Bytes page, read(place.page * page_bytes_, page_bytes_));
        const std::string name = "page " + std::to_string(place.page) + " of " + tree.name;
        const unsigned flags = number_at<std::uint16_t>(page, 10);
        const bool leaf = place.depth == tree.depth;
        if (number_at<std::uint64_t>(page, 0) != place.page || place.depth > depth_max ||
            flags != (leaf ? flag_leaf : flag_branch)) {
            fault(name + " is not what its place says");
            return {};
        }
        std::vector<Node> nodes;
        if (const std::optional<std::string> wrong = read_nodes(page, leaf, nodes)) {
            fault(name + " " + *wrong);
            return {};
        }
        counted.depth = tree.depth;
        ++(leaf ? counted.leaf_pages : counted.branch_pages);
        const bool rows = leaf && &tree != &free_ && tables_ == nullptr;
        if (rows) {
            SYNCLINE_CHECK(walk_leaf(tree, nodes, counted));
            // The key of a damaged row may be what is damaged.
            std::erase_if(nodes, [](const Node& node) { return node.damaged; });
        }
        if (!in_order(tree, place, nodes, leaf)) {
            fault(name + " has keys out of order");
            return {};
        }
        if (rows) return {};
        if (leaf) return walk_leaf(tree, nodes, counted);
        for (std::size_t i = nodes.size(); i-- > 0;) {
            Place child{nodes[i].child, place.depth + 1, place.from, place.to};
            if (i > 0) child.from = Bytes(nodes[i].key);
            if (i + 1 < nodes.size()) child.to = Bytes(nodes[i + 1].key);
            places.push_back(std::move(child));
        }
        return {};
    }

    bool in_order(const Tree& tree, const Place& place, const std::vector<Node>& nodes,
                  bool leaf) const {
        const bool numbers = &tree == &free_;
        const auto below = [&](BytesView a, BytesView b) {
            if (!numbers) return a < b;
            if (a.size() != 8 || b.size() != 8) return false;
            return number_at<std::uint64_t>(a, 0) < number_at<std::uint64_t>(b, 0);
        };
        // The first key of a branch is not looked at by anybody, and may be missing.
        for (std::size_t i = leaf ? 0 : 1; i < nodes.size(); ++i) {
            if (nodes[i].key.empty() || (numbers && nodes[i].key.size() != 8)) return false;
            if (!place.from.empty() && below(nodes[i].key, place.from)) return false;
            if (place.to && !below(nodes[i].key, *place.to)) return false;
            if (i > (leaf ? 0U : 1U) && !below(nodes[i - 1].key, nodes[i].key)) return false;
        }
        return true;
    }

    Result<void> walk_leaf(const Tree& tree, std::vector<Node>& nodes, Tree& counted) {
        for (Node& node : nodes) {
            ++counted.rows;
            Bytes overflow;
            BytesView value = node.data;
            if ((node.flags & node_big) != 0) {
                SYNCLINE_TRY(const std::uint64_t pages, read_overflow(tree, node, overflow));
                if (pages == 0) continue;
                counted.overflow_pages += pages;
                value = overflow;
            }
            const bool database = (node.flags & node_database) != 0;
            if (database != (tables_ != nullptr) || (database && value.size() != database_bytes)) {
                fault("row " + printable(node.key) + " of " + tree.name + " is of another kind");
            } else if (database) {
                tables_->push_back(tree_at(value, "table " + printable(node.key)));
            } else if (&tree == &free_) {
                free_pages(value);
            } else {
                node.damaged = !check_row(tree, node.key, value);
            }
        }
        return {};
    }

    /// How many pages it takes; 0 after a fault. They may be more than the value needs: one that is
    /// put again in the same transaction stays on the pages that it has, if it fits.
    Result<std::uint64_t> read_overflow(const Tree& tree, const Node& node, Bytes& value) {
        const auto page = number_at<std::uint64_t>(node.data, 0);
        const std::uint64_t needed = (page_header_bytes - 1 + node.bytes) / page_bytes_ + 1;
        if (node.bytes > value_bytes_max || !is_there(page, needed, tree)) {
            if (node.bytes > value_bytes_max) fault(tree.name + " has a row of impossible size");
            return std::uint64_t{0};
        }
        SYNCLINE_TRY(value, read(page * page_bytes_, page_header_bytes + node.bytes));
        if (value.size() != page_header_bytes + node.bytes ||
            number_at<std::uint64_t>(value, 0) != page ||
            number_at<std::uint16_t>(value, 10) != flag_overflow ||
            number_at<std::uint32_t>(value, 12) < needed) {
            fault("page " + std::to_string(page) + " of " + tree.name + " does not hold a value");
            return std::uint64_t{0};
        }
        const std::uint64_t pages = number_at<std::uint32_t>(value, 12);
        if (!take(page, pages, tree)) return std::uint64_t{0};
        value.erase(0, page_header_bytes);
        return pages;
    }

    /// One row of the free list: how many, and which, from the last to the first.
    void free_pages(BytesView value) {
        const std::uint64_t count = value.size() < 8 ? no_page : number_at<std::uint64_t>(value, 0);
        if (value.size() % 8 != 0 || count > value.size() / 8 - 1) {
            return fault("a row of the free list is damaged");
        }
        std::uint64_t last = no_page;
        for (std::uint64_t i = 1; i <= count; ++i) {
            const auto page = number_at<std::uint64_t>(value, 8 * i);
            if (page < 2 || page >= report_.pages || page >= last || state_[page] != unseen) {
                return fault("the free list holds page " + std::to_string(page) + " wrongly");
            }
            state_[page] = free;
            ++report_.pages_free;
            last = page;
        }
    }

    bool check_row(const Tree& tree, BytesView key, BytesView stored) {
        ++report_.rows;
        const std::string_view table = std::string_view(tree.name).substr(sizeof("table"));
        if (check_row_(table, key, stored)) return true;
        ++report_.rows_damaged;
        find("row " + printable(key) + " of " + tree.name + " fails its checksum");
        return false;
    }

    int file_;
    const PageRowCheck& check_row_;
    const PageProgress& progress_;
    PageReport report_;
    std::uint64_t page_bytes_ = 4096;
    std::uint64_t pages_there_ = 0;  // in the file
    std::uint64_t walked_ = 0;
    Tree free_;
    Tree main_;
    std::vector<Tree>* tables_ = nullptr;  // while the list of tables is walked
    std::vector<std::uint8_t> state_;      // of each page
    std::vector<std::string> unread_;      // names of trees
};

}  // namespace

bool is_leaf_page_whole(BytesView page) {
    std::vector<Node> nodes;
    return number_at<std::uint16_t>(page, 10) == flag_leaf && !read_nodes(page, true, nodes);
}

Result<PageReport> walk_lmdb_pages(const std::string& data_file, const PageRowCheck& check_row,
                                   const PageProgress& progress,
                                   const std::vector<std::string>& unread) {
    const int file = ::open(data_file.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) return Error{Code::io, "open " + data_file + ": " + std::strerror(errno)};
    Result<PageReport> report = Walk(file, check_row, progress, unread).run();
    (void)::close(file);  // nothing was written
    return report;
}

Result<std::uint64_t> last_lmdb_commit(const std::string& data_file) {
    const Descriptor file(::open(data_file.c_str(), O_RDONLY | O_CLOEXEC));
    if (file.get() < 0) return file_error("open", errno);
    SYNCLINE_TRY(const MetaPages pages, read_meta_pages(file.get()));
    return std::max(pages.numbers[0], pages.numbers[1]);
}

Result<void> take_back_lmdb_commit(const std::string& data_file, std::uint64_t number) {
    const Descriptor file(::open(data_file.c_str(), O_RDWR | O_CLOEXEC));
    if (file.get() < 0) return file_error("open", errno);
    SYNCLINE_TRY(const MetaPages pages, read_meta_pages(file.get()));
    if (!pages.sound) {
        return Error{Code::corrupt, "a meta page of the data file is damaged"};
    }
    const std::size_t last = pages.numbers[0] > pages.numbers[1] ? 0 : 1;
    const std::size_t before = 1 - last;
    std::size_t taken = last;
    Bytes copy = pages.bytes[before];
    if (pages.numbers[last] + 1 == number) {
        // It never came to be, or was taken back. That may not be on disk, and a sync that failed
        // may have been forgotten: the same bytes once more.
        taken = before;
    } else if (pages.numbers[last] != number) {
        return {};
    } else if (pages.numbers[before] + 1 != number) {
        return Error{Code::corrupt, "the state before commit " + std::to_string(number) +
                                        ", which did not become durable, is not in the data file"};
    } else {
        // The same state in both places; LMDB takes the one of the higher number.
        copy.replace(0, sizeof(std::uint64_t), pages.bytes[last], 0, sizeof(std::uint64_t));
        const std::uint64_t older = number - 2;
        std::memcpy(copy.data() + meta_number_at, &older, sizeof(older));
    }
    const auto place = static_cast<off_t>(taken * pages.page_bytes);
    const ssize_t written = ::pwrite(file.get(), copy.data(), copy.size(), place);
    if (written != static_cast<ssize_t>(copy.size())) {
        return file_error("write", written < 0 ? errno : ENOSPC);
    }
    if (::fdatasync(file.get()) != 0) return file_error("sync", errno);
    return {};
}

}  // namespace syncline
