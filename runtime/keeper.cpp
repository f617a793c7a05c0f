#include "runtime/keeper.hpp"
#include "runtime/dead_letter_store.hpp"

namespace edupulse {

namespace {
constexpr std::size_t unsaved_max = 10'000;
constexpr std::size_t letters_per_write = 256;
constexpr auto retry_every = std::chrono::seconds(1);
constexpr auto flush_patience = std::chrono::seconds(2);
} // namespace

expected<std::unique_ptr<keeper>> keeper::open(const settings& how, callbacks calls) {
  dead_letter_store::limits bounds;
  bounds.letters = how.letters_max;
  if (how.data_dir.empty())
    return std::unique_ptr<keeper>(
        new keeper(std::make_unique<memory_dead_letters>(bounds), false, std::move(calls)));
  auto store = sqlite_dead_letters::open({how.data_dir, bounds});
  if (!store)
    return tl::unexpected<error>(store.error());
  return std::unique_ptr<keeper>(new keeper(std::move(*store), true, std::move(calls)));
}

keeper::keeper(std::unique_ptr<dead_letter_store> store, bool threaded, callbacks calls)
    : calls_(std::move(calls)), store_(std::move(store)) {
  if (threaded)
    thread_ = std::thread([this] { run(); });
}

keeper::~keeper() {
  if (!thread_.joinable())
    return;
  {
    std::lock_guard guard(mutex_);
    ended_ = true;
  }
  changed_.notify_all();
  thread_.join();
  if (!unsaved_.empty())
    calls_.log(log_level::error, std::to_string(unsaved_.size()) +
                                     " dead letters could not be saved and are lost: " + trouble_);
}

// -- router's side ------------------------------------------------------------------------

void keeper::bury(dead_letter&& letter) {
  if (!thread_.joinable()) {
    std::vector<dead_letter> one;
    one.push_back(std::move(letter));
    save_now(one);
    return;
  }
  std::unique_lock guard(mutex_);
  unsaved_.push_back(std::move(letter));
  if (unsaved_.size() <= unsaved_max) {
    changed_.notify_all();
    return;
  }
  auto lost = std::move(unsaved_.front());
  unsaved_.pop_front();
  guard.unlock();
  calls_.log(log_level::error, "a dead letter of '" + lost.subscription +
                                   "' could not be saved and made room: " + trouble_);
  calls_.pushed_out(std::move(lost));
}

void keeper::settle_redrive(std::uint64_t letter, fate how) {
  const bool leaves = how == fate::handled || how == fate::expired;
  std::unique_lock guard(mutex_);
  settled_.emplace_back(letter, leaves);
  if (thread_.joinable()) {
    changed_.notify_all();
    return;
  }
  settled_.clear();
  guard.unlock();
  std::lock_guard store_guard(store_mutex_);
  static_cast<void>(store_->settle_redrive(letter, leaves)); // memory: cannot fail
}

// -- the thread -----------------------------------------------------------------------------

void keeper::run() {
  std::unique_lock guard(mutex_);
  for (;;) {
    changed_.wait(guard, [this] { return ended_ || !unsaved_.empty() || !settled_.empty(); });
    if (unsaved_.empty() && settled_.empty())
      return;
    save_some(guard);
    if (trouble_.empty())
      continue;
    if (ended_)
      return;
    changed_.wait_for(guard, retry_every, [this] { return ended_; });
  }
}

/// Writes what there is, with the lock released.
void keeper::save_some(std::unique_lock<std::mutex>& guard) {
  std::vector<dead_letter> letters;
  while (!unsaved_.empty() && letters.size() < letters_per_write) {
    letters.push_back(std::move(unsaved_.front()));
    unsaved_.pop_front();
  }
  auto settled = std::exchange(settled_, {});
  saving_ = true;
  guard.unlock();
  std::string trouble;
  expected<std::vector<dead_letter>> pushed_out;
  {
    std::lock_guard store_guard(store_mutex_);
    if (!letters.empty() && !(pushed_out = store_->add(letters)))
      trouble = pushed_out.error().text;
    while (trouble.empty() && !settled.empty()) {
      if (auto done = store_->settle_redrive(settled.front().first, settled.front().second); !done)
        trouble = done.error().text;
      else
        settled.pop_front();
    }
  }
  if (pushed_out)
    for (auto& letter : *pushed_out)
      calls_.pushed_out(std::move(letter));
  guard.lock();
  if (!pushed_out) // none was taken: back in front, in order
    for (auto at = letters.rbegin(); at != letters.rend(); ++at)
      unsaved_.push_front(std::move(*at));
  settled_.insert(settled_.begin(), settled.begin(), settled.end());
  saving_ = false;
  if (!trouble.empty() && trouble_ != trouble)
    calls_.log(log_level::error, "dead letters cannot be saved, trying again: " + trouble);
  trouble_ = std::move(trouble);
  changed_.notify_all();
}

void keeper::save_now(std::vector<dead_letter>& letters) {
  std::unique_lock guard(store_mutex_);
  auto pushed_out = store_->add(letters);
  guard.unlock();
  if (!pushed_out) {
    calls_.log(log_level::error, "a dead letter could not be kept: " + pushed_out.error().text);
    return;
  }
  for (auto& letter : *pushed_out)
    calls_.pushed_out(std::move(letter));
}

// -- asking ------------------------------------------------------------------------------------

/// What was buried before this call is in the store after it.
expected<void> keeper::flush() {
  std::unique_lock guard(mutex_);
  const bool saved = changed_.wait_for(guard, flush_patience, [this] {
    return (unsaved_.empty() && settled_.empty() && !saving_) || !trouble_.empty();
  });
  if (!trouble_.empty())
    return fail(errc::io, trouble_);
  if (!saved)
    return fail(errc::timed_out, "dead letters are still being written: ask again");
  return {};
}

template <class F> auto keeper::in_store(F f) {
  using answer = std::invoke_result_t<F, dead_letter_store&>;
  if (thread_.joinable())
    if (auto good = flush(); !good)
      return answer(tl::unexpected<error>(good.error()));
  std::lock_guard guard(store_mutex_);
  return f(*store_);
}

expected<std::vector<dead_letter>> keeper::list(const dead_letter_filter& which) {
  return in_store([&](dead_letter_store& store) { return store.list(which); });
}

expected<dead_letter> keeper::take_for_redrive(std::uint64_t letter) {
  return in_store([&](dead_letter_store& store) { return store.take_for_redrive(letter); });
}

void keeper::put_back(std::uint64_t letter) {
  std::lock_guard guard(store_mutex_);
  static_cast<void>(store_->settle_redrive(letter, false)); // on failure the next start does it
}

expected<dead_letter> keeper::discard(std::uint64_t letter) {
  return in_store([&](dead_letter_store& store) { return store.discard(letter); });
}

} // namespace edupulse
