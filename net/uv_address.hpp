#pragma once
// Private to net/tcp.cpp: socket addresses and their texts.
#include <netinet/in.h>
#include <sys/socket.h>
#include <uv.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "net/tcp.hpp"

namespace syncline {

using Address = sockaddr_storage;

inline const sockaddr* as_sockaddr(const Address& address) {
    return reinterpret_cast<const sockaddr*>(&address);
}

/// The address a numeric host names.
inline std::optional<Address> numeric_address(const TcpEndpoint& endpoint) {
    Address address{};
    const char* host = endpoint.host.c_str();
    if (uv_ip4_addr(host, endpoint.port, reinterpret_cast<sockaddr_in*>(&address)) == 0 ||
        uv_ip6_addr(host, endpoint.port, reinterpret_cast<sockaddr_in6*>(&address)) == 0) {
        return address;
    }
    return std::nullopt;
}

inline std::uint16_t port_of(const Address& address) {
    // Both families have their port at the same place.
    return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

inline void set_port(Address& address, std::uint16_t port) {
    reinterpret_cast<sockaddr_in&>(address).sin_port = htons(port);
}

inline std::string to_text(const Address& address) {
    std::array<char, INET6_ADDRSTRLEN> name{};
    if (uv_ip_name(as_sockaddr(address), name.data(), name.size()) != 0) return "unknown";
    const std::string host = name.data();
    const std::string port = std::to_string(port_of(address));
    return address.ss_family == AF_INET6 ? "[" + host + "]:" + port : host + ":" + port;
}

inline std::string to_text(const TcpEndpoint& endpoint) {
    const bool colons = endpoint.host.find(':') != std::string::npos;
    return (colons ? "[" + endpoint.host + "]" : endpoint.host) + ":" +
           std::to_string(endpoint.port);
}

inline bool is_loopback(const Address& address) {
    if (address.ss_family == AF_INET) {
        const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
        return ntohl(v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    }
    if (address.ss_family != AF_INET6) return false;
    const in6_addr& v6 = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(&v6) ||
           (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == IN_LOOPBACKNET);
}

}  // namespace syncline
