#include "runtime/control/channel.hpp"
#include "schemas/codec.hpp"
#include <algorithm>
#include <array>
#include <capnp/serialize.h>
#include <cerrno>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>

namespace edupulse::control {

namespace {

constexpr std::uint32_t version = 1;
constexpr std::size_t header_bytes = 8;
constexpr std::size_t word = sizeof(capnp::word);
constexpr int nesting = 16;

std::uint32_t number_at(const char* bytes) noexcept {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i)
    value |= std::uint32_t{static_cast<unsigned char>(bytes[i])} << 8 * i;
  return value;
}

void put_number(char* bytes, std::uint32_t value) noexcept {
  for (int i = 0; i < 4; ++i)
    bytes[i] = static_cast<char>(value >> 8 * i & 0xff);
}

tl::unexpected<error> closed() { return fail(errc::io, "the other end has closed the connection"); }

/// Who closes it with something unread resets it.
tl::unexpected<error> trouble() {
  if (errno == ECONNRESET || errno == EPIPE)
    return closed();
  return fail(errc::io, std::string("the connection broke: ") + std::strerror(errno));
}

tl::unexpected<error> too_large(std::size_t bytes, std::size_t limit) {
  return fail(errc::too_large, "a message of " + std::to_string(bytes) + " bytes, the limit is " +
                                   std::to_string(limit));
}

} // namespace

/// Who sends a byte now and then does not get around the deadline: there is nothing more to read
/// each time, and so one comes here.
expected<void> channel::wait_for(short what, time_point deadline) const {
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0)
      return fail(errc::timed_out, "the other end is too slow");
    std::array<pollfd, 2> on{{{socket_, what, 0}, {stop_, POLLIN, 0}}};
    const auto most = std::min<std::int64_t>(left.count(), 60'000);
    if (::poll(on.data(), on.size(), static_cast<int>(most)) < 0 && errno != EINTR)
      return trouble();
    if (on[1].revents != 0)
      return fail(errc::stopping, "the control socket is closing");
    if (on[0].revents != 0)
      return {};
  }
}

expected<void> channel::read_all(char* to, std::size_t bytes, time_point deadline) const {
  while (bytes > 0) {
    const auto got = ::recv(socket_, to, bytes, MSG_DONTWAIT);
    if (got == 0)
      return closed();
    if (got > 0) {
      to += got;
      bytes -= static_cast<std::size_t>(got);
    } else if (errno != EAGAIN && errno != EINTR) {
      return trouble();
    } else if (auto ready = wait_for(POLLIN, deadline); !ready) {
      return ready;
    }
  }
  return {};
}

expected<void> channel::write_all(const char* from, std::size_t bytes, time_point deadline) const {
  while (bytes > 0) {
    const auto sent = ::send(socket_, from, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0) {
      from += sent;
      bytes -= static_cast<std::size_t>(sent);
    } else if (errno != EAGAIN && errno != EINTR) {
      return trouble();
    } else if (auto ready = wait_for(POLLOUT, deadline); !ready) {
      return ready;
    }
  }
  return {};
}

expected<message_words> channel::receive(std::size_t max_bytes, time_point deadline) const {
  std::array<char, header_bytes> header;
  if (auto good = read_all(header.data(), header.size(), deadline); !good)
    return tl::unexpected(good.error());
  const std::size_t bytes = number_at(header.data());
  if (number_at(header.data() + 4) != version)
    return fail(errc::malformed, "not a message of version 1 of the control protocol");
  if (bytes > max_bytes)
    return too_large(bytes, max_bytes);
  if (bytes == 0 || bytes % word != 0)
    return fail(errc::malformed,
                "a message of " + std::to_string(bytes) + " bytes, which is not a number of words");
  message_words words(bytes / word);
  if (auto good = read_all(reinterpret_cast<char*>(words.data()), bytes, deadline); !good)
    return tl::unexpected(good.error());
  return words;
}

expected<void> channel::send(capnp::MessageBuilder& message, std::size_t max_bytes,
                             time_point deadline) const {
  const auto bytes = capnp::computeSerializedSizeInWords(message) * word;
  if (bytes > max_bytes)
    return too_large(bytes, max_bytes);
  const auto flat = capnp::messageToFlatArray(message);
  std::array<char, header_bytes> header;
  put_number(header.data(), static_cast<std::uint32_t>(bytes));
  put_number(header.data() + 4, version);
  if (auto good = write_all(header.data(), header.size(), deadline); !good)
    return good;
  const auto all = flat.asBytes();
  return write_all(reinterpret_cast<const char*>(all.begin()), all.size(), deadline);
}

expected<void> reading(const message_words& words,
                       const std::function<void(capnp::MessageReader&)>& read) {
  capnp::ReaderOptions limits;
  limits.traversalLimitInWords = 8 * words.size() + 1024;
  limits.nestingLimit = nesting;
  return catching(errc::malformed, [&] {
    capnp::FlatArrayMessageReader reader(
        kj::arrayPtr(reinterpret_cast<const capnp::word*>(words.data()), words.size()), limits);
    read(reader);
  });
}

} // namespace edupulse::control
