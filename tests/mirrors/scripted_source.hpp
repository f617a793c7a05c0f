#pragma once
// A source in memory: it delivers what it is given until that is acknowledged, as brokers do.

#include "tests/support/eventually.hpp"
#include <condition_variable>
#include <edupulse/source.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace edupulse::test {

/// What a test and the sources of one broker share. Any thread.
class scripted_broker {
public:
  void put(inbound_message one) {
    std::lock_guard guard(mutex_);
    one.place = "script/" + std::to_string(++last_);
    kept_.emplace(last_, std::move(one));
    changed_.notify_all();
  }
  /// "k:3" as a flattened lesson.
  void put_lesson(const std::string& key, const std::string& title) {
    put({.body = R"({"name":"lesson.published","lessonId":")" + key + R"(","title":")" + title +
                 "\"}"});
  }
  /// The next call fails, with these words.
  void break_down(std::string why) {
    std::lock_guard guard(mutex_);
    broken_ = std::move(why);
    changed_.notify_all();
  }
  std::size_t left() const {
    std::lock_guard guard(mutex_);
    return kept_.size();
  }
  int connects() const {
    std::lock_guard guard(mutex_);
    return connects_;
  }
  int signs_of_life() const {
    std::lock_guard guard(mutex_);
    return signs_;
  }

private:
  friend class scripted_source;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::uint64_t, inbound_message> kept_;
  std::uint64_t last_ = 0;
  std::string broken_;
  int connects_ = 0;
  int signs_ = 0;
};

class scripted_source final : public source {
public:
  explicit scripted_source(scripted_broker& of, type_lookup types = {})
      : of_(of), types_(std::move(types)) {}

  std::string_view name() const noexcept override { return "script"; }
  std::string where() const override { return "script://here"; }
  source_options options() const override {
    source_options made;
    made.types = types_;
    return made;
  }
  expected<void> connect(std::string_view) override {
    std::lock_guard guard(of_.mutex_);
    ++of_.connects_;
    next_ = 0; // what is not acknowledged comes again
    return trouble();
  }
  expected<std::vector<inbound_message>> receive(duration patience) override {
    std::unique_lock guard(of_.mutex_);
    const auto from = [this] { return of_.kept_.upper_bound(next_); };
    of_.changed_.wait_for(guard, patience,
                          [&] { return from() != of_.kept_.end() || !of_.broken_.empty(); });
    if (auto good = trouble(); !good)
      return tl::unexpected(good.error());
    std::vector<inbound_message> made;
    for (auto at = from(); at != of_.kept_.end() && made.size() < batch; ++at) {
      made.push_back(at->second);
      made.back().token = next_ = at->first;
    }
    return made;
  }
  expected<void> acknowledge(std::span<const std::uint64_t> tokens) override {
    std::lock_guard guard(of_.mutex_);
    if (auto good = trouble(); !good)
      return good;
    for (const auto one : tokens)
      of_.kept_.erase(one);
    return {};
  }
  expected<void> keep_alive() override {
    std::lock_guard guard(of_.mutex_);
    ++of_.signs_;
    return trouble();
  }

private:
  expected<void> trouble() {
    if (of_.broken_.empty())
      return {};
    return fail(errc::io, std::exchange(of_.broken_, {}));
  }

  scripted_broker& of_;
  const type_lookup types_;
  static constexpr std::size_t batch = 10;
  std::uint64_t next_ = 0;
};

} // namespace edupulse::test
