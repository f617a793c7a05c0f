// Connections that are made on threads of their own.

#include "runtime/wire/sockets.hpp"
#include "tests/support/catch.hpp"
#include <algorithm>
#include <future>
#include <mutex>

using namespace edupulse;

TEST_CASE("sockets: an address in numbers is dialled at once while a resolver keeps all names "
          "waiting") {
  std::promise<void> answer;
  auto may_answer = answer.get_future().share();
  auto door = acceptor::open(resolve({"127.0.0.1", 0}, true).value().front()).value();
  const auto port = door->where().port();
  std::mutex guard;
  std::vector<new_socket> made;
  std::promise<void> numbers_done;
  std::promise<void> all_done;
  {
    dialer::settings how;
    how.resolve = [=](const host_port& what) {
      if (!is_number(what))
        may_answer.wait();
      return resolve({"127.0.0.1", what.port}, false);
    };
    dialer dials(how, [&](new_socket what) {
      std::lock_guard lock(guard);
      made.push_back(std::move(what));
      if (made.size() == 2)
        numbers_done.set_value();
      if (made.size() == 12)
        all_done.set_value();
    });
    for (std::uint64_t ticket = 1; ticket <= 10; ++ticket)
      dials.dial(ticket, "nowhere.invalid:" + std::to_string(port));
    dials.dial(11, "127.0.0.1:" + std::to_string(port));
    dials.dial(12, "not an address");
    numbers_done.get_future().wait();
    {
      std::lock_guard lock(guard);
      for (const auto& one : made) {
        CHECK(one.ticket > 10);
        CHECK((one.socket != nullptr) == (one.ticket == 11));
      }
    }
    answer.set_value();
    all_done.get_future().wait();
  }
  CHECK(std::count_if(made.begin(), made.end(),
                      [](const new_socket& one) { return one.socket != nullptr; }) == 11);
}

TEST_CASE("sockets: what is an address in numbers") {
  for (const auto* text : {"127.0.0.1", "::1", "10.0.0.7", "fe80::1"})
    CHECK(is_number({text, 1}));
  for (const auto* text : {"localhost", "api-1", "1.2.3.4.example", ""})
    CHECK_FALSE(is_number({text, 1}));
}
