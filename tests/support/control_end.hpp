#pragma once
// The operator's end of a control socket, for tests.

#include "runtime/control/channel.hpp"
#include "runtime/control/listener.hpp"
#include "schemas/control.capnp.h"
#include "tests/support/catch.hpp"
#include <capnp/serialize.h>
#include <cerrno>
#include <memory>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <thread>

namespace edupulse::test {

/// An answer, and the message that it is read from.
class control_answer {
public:
  explicit control_answer(control::message_words words)
      : words_(std::move(words)),
        reader_(std::make_unique<capnp::FlatArrayMessageReader>(
            kj::arrayPtr(reinterpret_cast<const capnp::word*>(words_.data()), words_.size()))) {}
  control::Answer::Reader operator*() const { return reader_->getRoot<control::Answer>(); }
  /// What kind of error it is; empty when it is none.
  std::string trouble() const {
    const auto root = **this;
    return root.isError() ? root.getError().getCode().cStr() : "";
  }
  std::string text() const { return (**this).getError().getText().cStr(); }

private:
  control::message_words words_;
  std::unique_ptr<capnp::FlatArrayMessageReader> reader_;
};

/// One connection.
class control_end {
public:
  explicit control_end(const std::filesystem::path& path)
      : socket_(control::dial(path).value()), channel_(socket_->number(), -1) {}

  int number() const noexcept { return socket_->number(); }
  /// Raw bytes. The other end may have gone.
  void write(std::string_view bytes) const {
    static_cast<void>(::send(number(), bytes.data(), bytes.size(), MSG_NOSIGNAL));
  }
  void write_no_more() const { ::shutdown(number(), SHUT_WR); }
  /// Null when the connection was closed instead.
  std::unique_ptr<control_answer> answer() const {
    auto words = channel_.receive(control::max_answer_bytes, time_point::max());
    char rest = 0;
    while (::recv(number(), &rest, 1, 0) < 0 && (errno == EAGAIN || errno == EINTR))
      std::this_thread::yield(); // until it is over, and there is room for another one
    return words ? std::make_unique<control_answer>(std::move(*words)) : nullptr;
  }

private:
  std::unique_ptr<descriptor> socket_;
  control::channel channel_;
};

/// The bytes of a request that `fill` makes.
template <class F> std::string request_bytes(F fill) {
  capnp::MallocMessageBuilder message;
  fill(message.initRoot<control::Request>());
  const auto flat = capnp::messageToFlatArray(message);
  const auto size = flat.asBytes().size();
  std::string bytes;
  for (const auto number : {size, std::size_t{1}})
    for (int i = 0; i < 4; ++i)
      bytes.push_back(static_cast<char>(number >> 8 * i & 0xff));
  bytes.append(reinterpret_cast<const char*>(flat.begin()), size);
  return bytes;
}

template <class F> control_answer ask(const std::filesystem::path& path, F fill) {
  const control_end to(path);
  to.write(request_bytes(fill));
  auto told = to.answer();
  REQUIRE(told);
  return std::move(*told);
}

inline control_answer ask_status(const std::filesystem::path& path) {
  return ask(path, [](auto request) { request.setStatus(); });
}

} // namespace edupulse::test
