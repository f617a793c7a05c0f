#pragma once
// A real server of a broker, for tests of the mirrors to it.

#include "tests/support/program.hpp"
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace edupulse::test {

/// A port of the loopback that nobody listens on at this moment.
std::uint16_t free_port();

/// What a mirror wrote, as a reader of the broker sees it.
struct seen_event {
  std::string id;
  std::string key;
  int number = 0; ///< counts up within its key
};

/// On a free port, with a directory of its own; gone with this object. Its port and its data stay
/// while it is killed and started.
class broker {
public:
  virtual ~broker() = default;

  /// Starts it, and waits until it answers.
  virtual void start() = 0;
  virtual void kill() { server_.reset(); }
  /// It stays where it is and does nothing, with its connections open.
  virtual void pause() { server_->signal(SIGSTOP); }
  virtual void resume() { server_->signal(SIGCONT); }
  std::uint16_t port() const noexcept { return port_; }

  /// For `open_transport`, with further settings: `&batch=1`.
  std::string url(const std::string& settings = {}) const { return url_of(port_, settings); }
  virtual std::string url_of(std::uint16_t port, const std::string& settings) const = 0;
  /// For `open_source`, of what `url` writes.
  virtual std::string source_url(std::uint16_t port, const std::string& settings) const {
    return url_of(port, settings);
  }
  /// What was delivered and not acknowledged comes before everything else.
  virtual bool redelivers_in_order() const { return true; }
  /// How long it must be gone, so that it does not wait for readers that it knew.
  virtual std::chrono::milliseconds forgets_readers_after() const { return {}; }
  /// A setting for a source of a group: which of its members it is.
  virtual std::string member(const std::string&) const { return {}; }
  /// A setting for a source that is given little at once.
  virtual std::string few_at_once() const { return "&batch=10"; }
  /// Of somebody whom it refuses, and a word of its refusal.
  virtual std::string url_of_stranger() const = 0;
  virtual std::string refusal() const = 0;
  /// Events in a millisecond that it takes with ease, on a machine that does other things, too.
  virtual int pace() const { return 20; }
  /// All that it has been given, in its order, read with the broker's client and none of our code.
  virtual std::vector<seen_event> read() = 0;

protected:
  const std::uint16_t port_ = free_port();
  scratch_dir dir_;
  std::unique_ptr<program> server_;
};

/// "none" when there is no such header.
std::string header_of(const std::vector<std::pair<std::string, std::string>>& headers,
                      const std::string& name);

/// From the CloudEvents document of one `lesson.published` that `publish_numbered` made.
seen_event from_cloudevent(const std::string& text);

} // namespace edupulse::test
