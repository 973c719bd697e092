#pragma once
#include <string_view>

namespace syncline {

/// Tells the service manager that started this process how it is ("READY=1", "STOPPING=1", lines of
/// sd_notify(3)): one datagram to the socket of NOTIFY_SOCKET. Without one, or when nobody takes
/// it, nothing happens: a replica works as well without a manager. Does not block.
void notify_service(std::string_view state);

}  // namespace syncline
