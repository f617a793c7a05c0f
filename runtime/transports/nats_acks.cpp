#include "runtime/transports/nats_acks.hpp"

#include <map>
#include <sys/eventfd.h>

namespace edupulse {

namespace {

/// By number, of those that are alive.
struct known_acks {
  std::mutex mutex;
  std::uintptr_t last = 0;
  std::map<std::uintptr_t, std::weak_ptr<nats_acks>> all;
};

/// Never destroyed: threads of the client library outlive `main`.
known_acks& known() {
  static auto& one = *new known_acks;
  return one;
}

} // namespace

nats_acks::nats_acks() : news_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

nats_acks::~nats_acks() {
  std::lock_guard guard(known().mutex);
  known().all.erase(number_);
}

std::shared_ptr<nats_acks> nats_acks::make() {
  std::shared_ptr<nats_acks> made(new nats_acks);
  std::lock_guard guard(known().mutex);
  made->number_ = ++known().last;
  known().all.emplace(made->number_, made);
  return made;
}

std::shared_ptr<nats_acks> nats_acks::find(std::uintptr_t number) {
  std::lock_guard guard(known().mutex);
  const auto found = known().all.find(number);
  return found == known().all.end() ? nullptr : found->second.lock();
}

void nats_acks::expect(std::uintptr_t key, deferral done) {
  std::lock_guard guard(mutex_);
  open_.insert_or_assign(key, std::move(done));
}

void nats_acks::answer(std::uintptr_t key, outcome with) {
  std::lock_guard guard(mutex_);
  auto found = open_.extract(key);
  if (!found)
    return;
  if (answered_.empty())
    ::eventfd_write(news_.number(), 1);
  answered_.emplace_back(std::move(found.mapped()), std::move(with));
}

void nats_acks::tell() {
  std::vector<std::pair<deferral, outcome>> told;
  {
    std::lock_guard guard(mutex_);
    told.swap(answered_);
    eventfd_t rung;
    if (lost_.empty())
      ::eventfd_read(news_.number(), &rung);
  }
  std::vector<deferral> good;
  for (auto& [done, with] : told)
    if (with.is_ok())
      good.push_back(std::move(done));
    else
      done.complete(std::move(with));
  deferral::complete_all(good, outcome::ok());
}

void nats_acks::answer_all(const outcome& with) {
  tell();
  std::unordered_map<std::uintptr_t, deferral> all;
  {
    std::lock_guard guard(mutex_);
    all.swap(open_);
  }
  std::vector<deferral> tokens;
  tokens.reserve(all.size());
  for (auto& [key, done] : all)
    tokens.push_back(std::move(done));
  deferral::complete_all(tokens, with);
}

void nats_acks::lose(std::string why) {
  std::lock_guard guard(mutex_);
  if (lost_.empty())
    lost_ = std::move(why);
  ::eventfd_write(news_.number(), 1);
}

std::string nats_acks::lost() const {
  std::lock_guard guard(mutex_);
  return lost_;
}

void nats_acks::deny() {
  {
    std::lock_guard guard(mutex_);
    denied_ = true;
  }
  lose("nats: the server refuses a subject");
}

bool nats_acks::denied() const {
  std::lock_guard guard(mutex_);
  return denied_;
}

} // namespace edupulse
