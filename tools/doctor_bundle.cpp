#include "tools/doctor_bundle.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <numeric>
#include <utility>

namespace syncline {
namespace {

constexpr std::size_t sought_bytes_min = 4;
constexpr std::size_t block_bytes = 512;

Error failed(const std::string& path) {
    const Code code = errno == EEXIST ? Code::invalid_argument : Code::io;
    return Error{code, "cannot write '" + path + "': " + std::strerror(errno)};
}

Result<void> write_new(const std::string& path, const std::string& text) {
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0) return failed(path);
    std::size_t written = 0;
    while (written < text.size()) {
        const ssize_t count = ::write(file, text.data() + written, text.size() - written);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) {
            const Error error = failed(path);
            ::close(file);
            return error;
        }
        written += static_cast<std::size_t>(count);
    }
    if (::close(file) != 0) return failed(path);
    return {};
}

/// One header of the ustar format (POSIX.1-1988). Precondition: names have less than 100 bytes.
std::string tar_header(const std::string& name, std::size_t bytes, std::uint64_t now_s) {
    std::string header(block_bytes, '\0');
    const auto put = [&](std::size_t at, const std::string& text) {
        header.replace(at, text.size(), text);
    };
    put(0, name.substr(0, 99));
    put(100, "0000600");
    put(108, "0000000");  // owner and group of whoever unpacks it
    put(116, "0000000");
    put(124, fmt::format("{:011o}", bytes));
    put(136, fmt::format("{:011o}", now_s));
    put(148, "        ");
    put(156, "0");
    put(257, std::string("ustar\0"
                         "00",
                         8));
    const unsigned sum = std::accumulate(
        header.begin(), header.end(), 0U,
        [](unsigned total, char byte) { return total + static_cast<unsigned char>(byte); });
    put(148, fmt::format("{:06o}", sum) + std::string("\0 ", 2));
    return header;
}

}  // namespace

void DoctorBundle::add_secret(std::string secret) {
    if (secret.size() >= sought_bytes_min) secrets_.push_back(std::move(secret));
}

std::string DoctorBundle::cleaned(std::string text) const {
    for (const std::string& secret : secrets_) {
        for (std::size_t at = text.find(secret); at != std::string::npos;
             at = text.find(secret, at)) {
            text.replace(at, secret.size(), "(secret)");
            at += std::string_view("(secret)").size();
        }
    }
    return text;
}

void DoctorBundle::add(const std::string& name, std::string text) {
    files_[name] = cleaned(std::move(text));
}

std::string DoctorBundle::archive(const std::string& folder, std::uint64_t now_s) const {
    std::string out;
    for (const auto& [name, text] : files_) {
        out += tar_header(folder + "/" + name, text.size(), now_s) + text;
        out.resize((out.size() + block_bytes - 1) / block_bytes * block_bytes, '\0');
    }
    return out + std::string(2 * block_bytes, '\0');
}

Result<void> DoctorBundle::write(const std::string& path, std::uint64_t now_s) const {
    const std::filesystem::path whole(path);
    if (whole.extension() == ".tar") {
        return write_new(path, archive(whole.stem().string(), now_s));
    }
    if (::mkdir(path.c_str(), 0700) != 0) return failed(path);
    for (const auto& [name, text] : files_) SYNCLINE_CHECK(write_new(path + "/" + name, text));
    return {};
}

}  // namespace syncline
