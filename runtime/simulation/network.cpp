#include "runtime/simulation/network.hpp"

namespace edupulse::simulation {

namespace {

/// Of the system: a lost packet is sent again, and again after twice the time.
constexpr auto first_repeat = std::chrono::milliseconds(200);
/// What a slow line brings arrives in pieces of about so much time.
constexpr double piece_seconds = 0.25;
/// Buffers that are kept for the next write.
constexpr std::size_t most_spare = 64;
constexpr std::size_t most_bytes_of_spare = 16u << 10;

} // namespace

// -- processes ----------------------------------------------------------------------------

void network::attach(place at, network_user& who) {
  auto& here = host_of(at);
  here.who = &who;
  ++here.start;
  here.paused = here.vanished = false;
  here.postponed.clear();
}

void network::detach(place at, ending how) {
  auto& here = host_of(at);
  here.who = nullptr;
  here.vanished = how == ending::silent;
  here.postponed.clear();
  std::vector<connection_id> its;
  ends_.for_each([&](connection_id id, const end& one) {
    if (one.owner == at)
      its.push_back(id);
  });
  std::sort(its.begin(), its.end());
  for (const auto id : its)
    if (how == ending::silent)
      ends_.erase(id);
    else
      forget(id, how == ending::closed ? item_kind::end : item_kind::reset);
}

bool network::is_paused(place at) const { return at < hosts_.size() && hosts_[at]->paused; }

void network::resume(place at) {
  auto& here = host_of(at);
  here.paused = false;
  const auto start = here.start;
  for (auto& what : std::exchange(here.postponed, {}))
    if (here.start == start && here.who != nullptr)
      what();
}

// -- bytes ------------------------------------------------------------------------------------

const line_quality& network::line_of(place from, place to) const {
  const auto at = paths_.find({from, to});
  return at != paths_.end() && at->second.line ? *at->second.line : how_.line;
}

duration network::draw_delay(const line_quality& line) {
  auto sum = line.delay + duration(static_cast<duration::rep>(
                              chance_.unit() * static_cast<double>(line.jitter.count())));
  for (duration repeat = first_repeat; line.loss > 0 && chance_.unit() < line.loss; repeat *= 2)
    sum += repeat;
  return sum;
}

frame_bytes network::spare() {
  if (spare_.empty())
    return {};
  auto one = std::move(spare_.back());
  spare_.pop_back();
  return one;
}

std::size_t network::write(connection_id which, frame_bytes&& bytes) {
  auto* from = find(which);
  const auto size = bytes.size();
  if (from == nullptr)
    return size; // the end of it is on its way here
  if (from->in_kernel >= how_.kernel_bytes || !from->waiting.empty()) {
    bytes_held_ += size;
    from->waiting.push_back(std::move(bytes));
    return 0;
  }
  transmit(which, *from, std::move(bytes));
  return size;
}

void network::transmit(connection_id which, end& from, frame_bytes&& bytes) {
  ++writes_;
  from.in_kernel += bytes.size();
  bytes_held_ += bytes.size();
  const auto& line = line_of(from.owner, from.peer);
  auto piece = bytes.size();
  if (line.bytes_per_second > 0)
    piece = std::max<std::size_t>(
        1, std::min(piece, static_cast<std::size_t>(line.bytes_per_second * piece_seconds)));
  else if (how_.cut_chance > 0 && piece > 1 && chance_.unit() < how_.cut_chance)
    piece = 1 + chance_.next() % (piece - 1);
  if (piece == bytes.size()) {
    const auto size = bytes.size();
    return send(from.owner, from.peer, from.there, {item_kind::bytes, which, std::move(bytes)},
                size);
  }
  const bool in_two = line.bytes_per_second <= 0;
  for (std::size_t at = 0; at < bytes.size();) {
    const auto size = in_two && at > 0 ? bytes.size() - at : std::min(piece, bytes.size() - at);
    const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(at);
    frame_bytes part(begin, begin + static_cast<std::ptrdiff_t>(size));
    send(from.owner, from.peer, from.there, {item_kind::bytes, which, std::move(part)}, size);
    at += size;
  }
}

void network::send(place from, place to, connection_id which, item&& what, std::size_t bytes) {
  auto* there = find(which);
  if (there == nullptr && what.what != item_kind::bytes)
    return;
  const auto& line = line_of(from, to);
  auto when = time_.now() + draw_delay(line);
  if (there != nullptr) {
    when = std::max(there->last_arrival + duration(1), when);
    if (line.bytes_per_second > 0)
      when += duration(
          static_cast<duration::rep>(1e9 * static_cast<double>(bytes) / line.bytes_per_second));
    there->last_arrival = when;
  }
  if (there != nullptr && what.what != item_kind::reset)
    what.number = ++there->sent;
  if (line.bytes_per_second <= 0)
    return travel(when, from, to, which, std::move(what));
  const auto crawler = next_crawler_++;
  paths_[{from, to}].crawling.emplace(crawler, std::pair(which, std::move(what)));
  time_.at(when, [this, from, to, crawler] {
    if (auto one = paths_[{from, to}].crawling.extract(crawler))
      travel(time_.now(), from, to, one.mapped().first, std::move(one.mapped().second));
  });
}

void network::travel(time_point until, place from, place to, connection_id which, item&& what) {
  time_.at(until, [this, from, to, which, what = std::move(what)]() mutable {
    if (is_blocked(from, to))
      paths_[{from, to}].held.emplace_back(which, std::move(what));
    else
      arrive(which, std::move(what));
  });
}

/// What was held comes late, and what was sent after it waits for it, but for a reset.
void network::arrive(connection_id which, item&& what) {
  auto* to = find(which);
  if (to == nullptr)
    return take(which, std::move(what));
  const auto owner = to->owner;
  if (what.number == 0)
    return run_at(owner, [this, which, what]() mutable { take(which, std::move(what)); });
  if (what.number == to->arrived + 1 && to->early.empty()) {
    ++to->arrived;
    return run_at(
        owner, [this, which, what = std::move(what)]() mutable { take(which, std::move(what)); });
  }
  to->early.emplace(what.number, std::move(what));
  for (to = find(which);
       to != nullptr && !to->early.empty() && to->early.begin()->first == to->arrived + 1;
       to = find(which)) {
    ++to->arrived;
    auto next = std::make_shared<item>(std::move(to->early.begin()->second)); // for std::function
    to->early.erase(to->early.begin());
    run_at(owner, [this, which, next] { take(which, std::move(*next)); });
  }
}

void network::take(connection_id which, item&& what) {
  auto* to = find(which);
  if (to != nullptr && to->broken) {
    bytes_held_ -= what.bytes.size();
    return;
  }
  if (to != nullptr && to->halted) {
    to->unread.push_back(std::move(what));
    return;
  }
  if (to != nullptr)
    return deliver(which, *to, std::move(what));
  if (what.what != item_kind::bytes)
    return;
  bytes_held_ -= what.bytes.size();
  auto* writer = find(what.from); // nobody is there: the writer is told so, if it was ever heard
  if (writer == nullptr || which == 0 || host_of(writer->peer).vanished)
    return;
  writer->in_kernel -= what.bytes.size();
  send(writer->peer, writer->owner, what.from, {item_kind::reset, which, {}}, 0);
}

void network::deliver(connection_id which, end& to, item&& what) {
  const auto owner = to.owner;
  auto* who = host_of(owner).who;
  if (what.what != item_kind::bytes) {
    for (const auto& one : to.waiting)
      bytes_held_ -= one.size();
    for (const auto& one : to.unread)
      bytes_held_ -= one.bytes.size();
    ends_.erase(which);
    if (who != nullptr)
      who->on_ended(which);
    return;
  }
  bytes_held_ -= what.bytes.size();
  has_read(what.from, owner, what.bytes.size());
  if (who != nullptr)
    who->on_bytes(which, std::as_bytes(std::span(what.bytes)));
  if (spare_.size() < most_spare && what.bytes.capacity() <= most_bytes_of_spare) {
    what.bytes.clear();
    spare_.push_back(std::move(what.bytes));
  }
}

/// The writer's system learns of it, when anything passes that way.
void network::has_read(connection_id writer, place reader, std::size_t bytes) {
  auto* from = find(writer);
  if (from == nullptr)
    return;
  if (!is_blocked(reader, from->owner))
    return make_room(writer, bytes);
  if (from->untold == 0)
    paths_[{reader, from->owner}].blocked_acks.push_back(writer);
  from->untold += bytes;
}

void network::make_room(connection_id writer, std::size_t bytes) {
  auto* from = find(writer);
  if (from == nullptr)
    return;
  from->in_kernel -= bytes;
  if (from->waiting.empty())
    return;
  time_.in(duration(1), [this, writer, owner = from->owner] {
    run_at(owner, [this, writer, owner] {
      std::size_t left = 0;
      for (auto* now = find(writer);
           now != nullptr && !now->waiting.empty() && now->in_kernel < how_.kernel_bytes;) {
        auto bytes_of_one = std::move(now->waiting.front());
        now->waiting.erase(now->waiting.begin());
        left += bytes_of_one.size();
        bytes_held_ -= bytes_of_one.size();
        transmit(writer, *now, std::move(bytes_of_one));
      }
      if (left > 0 && host_of(owner).who != nullptr)
        host_of(owner).who->on_written(writer, left);
    });
  });
}

void network::halt(connection_id which) {
  if (auto* one = find(which))
    one->halted = true;
}

void network::read_on(connection_id which) {
  auto* one = find(which);
  if (one == nullptr)
    return;
  one->halted = false;
  for (auto& what : std::exchange(one->unread, {}))
    take(which, std::move(what)); // it may be halted again meanwhile, or end
}

// -- ends -------------------------------------------------------------------------------------

void network::close(connection_id which) { forget(which, item_kind::end); }

void network::forget(connection_id which, item_kind last_word) {
  const auto gone = ends_.extract(which);
  if (gone == nullptr)
    return;
  for (const auto& one : gone->waiting)
    bytes_held_ -= one.size();
  for (const auto& one : gone->unread)
    bytes_held_ -= one.bytes.size();
  auto* other = find(gone->there);
  if (other == nullptr)
    return;
  if (last_word == item_kind::reset)
    other->last_arrival = time_.now(); // it overtakes what was sent before
  send(gone->owner, gone->peer, gone->there, {last_word, which, {}}, 0);
}

// -- faults -----------------------------------------------------------------------------------

bool network::is_blocked(place from, place to) const {
  const auto at = paths_.find({from, to});
  return at != paths_.end() && at->second.blocked > 0;
}

void network::unblock(place from, place to) {
  auto& one = paths_[{from, to}];
  if (one.blocked == 0 || --one.blocked > 0)
    return;
  const auto repeat = duration(static_cast<duration::rep>(
      chance_.unit() * static_cast<double>(duration(first_repeat).count())));
  for (auto& [which, what] : std::exchange(one.held, {}))
    travel(time_.now() + repeat, from, to, which, std::move(what));
  for (const auto writer : std::exchange(one.blocked_acks, {}))
    if (auto* at = find(writer))
      make_room(writer, std::exchange(at->untold, 0));
}

void network::set_line(place from, place to, std::optional<line_quality> line) {
  auto& one = paths_[{from, to}];
  one.line = line;
  for (auto& [crawler, what] :
       std::exchange(one.crawling, {})) { // the rest goes as the new one does
    if (auto* there = find(what.first))
      there->last_arrival = time_.now();
    travel(time_.now() + line_of(from, to).delay, from, to, what.first, std::move(what.second));
  }
}

void network::reset(place a, place b) {
  std::vector<connection_id> both;
  ends_.for_each([&](connection_id id, const end& one) {
    if ((one.owner == a && one.peer == b) || (one.owner == b && one.peer == a))
      both.push_back(id);
  });
  std::sort(both.begin(), both.end());
  for (const auto id : both) {
    auto* one = find(id);
    if (one == nullptr)
      continue;
    one->there = 0;
    one->broken = true;
    time_.in(draw_delay(how_.line), [this, id, owner = one->owner] {
      if (find(id) != nullptr)
        run_at(owner, [this, id] {
          if (auto* now = find(id))
            deliver(id, *now, {item_kind::reset, 0, {}});
        });
    });
  }
}

} // namespace edupulse::simulation
