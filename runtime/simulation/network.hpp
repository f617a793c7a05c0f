#pragma once
// The network between the simulated nodes: connections that carry bytes in order, after a delay, or
// do not carry them for a while, or break. It knows nothing of frames.
//
// A write travels as a whole, unless the line is slow or the dice cut it: nothing here looks at
// single bytes. What a connection holds is bounded as by a kernel: `kernel_bytes` are taken at
// once, and the rest waits at the writer until the reader has read.
//
//     written -> (waits: the kernel is full) -> on its way -> (held: nothing passes) -> arrives
//             -> (unread: halted, or the process is stopped) -> read
//
// What does not pass is not lost: it is sent again once the line is mended, as TCP does. Lost
// packets are a delay. A connection that breaks loses what is on its way.

#include "actors/backoff.hpp"
#include "actors/id_map.hpp"
#include "actors/link_frames.hpp"
#include "actors/switchboard_effect.hpp"
#include "runtime/simulation/timetable.hpp"
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace edupulse::simulation {

/// A machine with one address. One process at a time listens there.
using place = std::uint32_t;

std::string address_of(place where); ///< "10.0.0.7:7000"
std::optional<place> place_of(std::string_view address);

/// A process, as the network sees it.
class network_user {
public:
  virtual ~network_user() = default;
  virtual void on_accepted(connection_id which, place from) = 0;
  virtual void on_connected(std::uint64_t ticket, connection_id which) = 0;
  virtual void on_dial_failed(std::uint64_t ticket, std::string_view why) = 0;
  virtual void on_bytes(connection_id which, std::span<const std::byte> bytes) = 0;
  /// So many bytes that had to wait have left the process.
  virtual void on_written(connection_id which, std::size_t bytes) = 0;
  virtual void on_ended(connection_id which) = 0;
};

/// One direction between two places.
struct line_quality {
  duration delay = std::chrono::microseconds(500);
  duration jitter = std::chrono::milliseconds(1); ///< evenly, on top
  double bytes_per_second = 0;                    ///< 0: no limit
  double loss = 0;                                ///< of writes: each costs 200 ms, 400 ms ...
};

class network {
public:
  struct settings {
    std::uint64_t seed = 1;
    line_quality line{};
    std::size_t kernel_bytes = 256u << 10; ///< of a connection, one way
    double cut_chance = 0;                 ///< that a write arrives in two pieces
  };
  /// How a process ends: its connections are closed behind what was written, are reset with what
  /// was on its way lost, or nobody is ever told.
  enum class ending : std::uint8_t { closed, reset, silent };

  network(timetable& time, settings how) : time_(time), how_(how), chance_(how.seed) {}

  // -- processes ----------------------------------------------------------------------
  void attach(place at, network_user& who);
  void detach(place at, ending how);
  /// A stopped process: the machine goes on, and takes connections and bytes for it.
  void pause(place at) { host_of(at).paused = true; }
  void resume(place at);
  bool is_paused(place at) const;
  /// Of the process there.
  std::uint64_t start_of(place at) { return host_of(at).start; }
  /// Runs now, or when the process there goes on. Never once it has ended.
  template <class F> void run_at(place at, F&& what) { run_at(host_of(at), std::forward<F>(what)); }
  /// Nor when it is another one.
  template <class F> void run_at(place at, std::uint64_t start, F&& what) {
    if (auto& here = host_of(at); here.start == start)
      run_at(here, std::forward<F>(what));
  }

  // -- connections, for processes -------------------------------------------------------
  void dial(place from, std::uint64_t ticket, std::string_view address);
  /// Empty, with room: memory goes round between those who write and those who have read.
  frame_bytes spare();
  /// How many of the bytes have left the process at once: all, or none.
  std::size_t write(connection_id which, frame_bytes&& bytes);
  /// Closes behind what was written. The process hears no more of it.
  void close(connection_id which);
  void halt(connection_id which);
  void read_on(connection_id which);

  // -- faults -------------------------------------------------------------------------
  /// Nothing passes from one to the other. Counted: each block needs its own unblock.
  void block(place from, place to) { ++paths_[{from, to}].blocked; }
  void unblock(place from, place to);
  bool is_blocked(place from, place to) const;
  /// Of one direction; none: as all others.
  void set_line(place from, place to, std::optional<line_quality> line);
  /// Of all lines that have no quality of their own.
  void set_loss(double rate) { how_.line.loss = rate; }
  /// Connections between the two break.
  void reset(place a, place b);
  /// Dials to `at` are answered, and nobody is there.
  void set_deaf(place at, bool on) { host_of(at).deaf = on; }

  std::size_t connections() const noexcept { return ends_.size(); }
  std::size_t bytes_held() const noexcept { return bytes_held_; }
  std::uint64_t writes() const noexcept { return writes_; }

private:
  struct host {
    network_user* who = nullptr;
    std::uint64_t start = 0;
    bool paused = false;
    bool deaf = false;
    bool vanished = false; ///< ended, and nobody was told
    std::vector<std::function<void()>> postponed;
  };
  enum class item_kind : std::uint8_t { bytes, end, reset };
  struct item {
    item_kind what = item_kind::bytes;
    connection_id from = 0;
    frame_bytes bytes{};
    std::uint64_t number = 0; ///< of all that was sent to the same end; 0: comes as it may
  };
  struct end {
    place owner = 0;
    place peer = 0;
    connection_id there = 0; ///< 0: nobody
    time_point last_arrival{};
    std::size_t in_kernel = 0; ///< written here and not known to be read
    std::size_t untold = 0;    ///< of it, read, but the way back is blocked
    std::uint64_t sent = 0;    ///< to here
    std::uint64_t arrived = 0; ///< of it, in order
    std::map<std::uint64_t, item> early{};
    bool halted = false;
    bool broken = false; ///< what is on its way here is lost
    std::vector<frame_bytes> waiting{};
    std::vector<item> unread{};
  };
  struct path {
    std::uint32_t blocked = 0;
    std::optional<line_quality> line{};
    std::vector<std::pair<connection_id, item>> held{};
    std::map<std::uint64_t, std::pair<connection_id, item>> crawling{}; ///< over a slow line
    std::vector<connection_id> blocked_acks{}; ///< writers that wait to hear what was read
  };
  using way = std::pair<place, place>;

  host& host_of(place at) {
    while (at >= hosts_.size())
      hosts_.push_back(std::make_unique<host>());
    return *hosts_[at];
  }
  template <class F> static void run_at(host& here, F&& what) {
    if (here.who == nullptr)
      return;
    if (here.paused)
      here.postponed.emplace_back(std::forward<F>(what));
    else
      what();
  }
  end* find(connection_id which) { return ends_.find(which); }
  const line_quality& line_of(place from, place to) const;
  duration draw_delay(const line_quality& line);
  void try_connect(place from, std::uint64_t start, std::uint64_t ticket, place to, int tries);
  void connect(place from, std::uint64_t start, std::uint64_t ticket, place to);
  void answer_dial(place from, std::uint64_t start, duration after, std::function<void()> what);
  void transmit(connection_id which, end& from, frame_bytes&& bytes);
  void send(place from, place to, connection_id which, item&& what, std::size_t bytes);
  void travel(time_point until, place from, place to, connection_id which, item&& what);
  void arrive(connection_id which, item&& what);
  void take(connection_id which, item&& what);
  void deliver(connection_id which, end& to, item&& what);
  void has_read(connection_id writer, place reader, std::size_t bytes);
  void make_room(connection_id writer, std::size_t bytes);
  void forget(connection_id which, item_kind last_word);

  timetable& time_;
  settings how_;
  random_source chance_;
  std::vector<std::unique_ptr<host>> hosts_; ///< by place
  std::map<way, path> paths_;                ///< of those that have had a fault
  id_map<end> ends_;
  connection_id next_id_ = 1;
  std::uint64_t next_crawler_ = 0;
  std::size_t bytes_held_ = 0;
  std::vector<frame_bytes> spare_;
  std::uint64_t writes_ = 0;
};

} // namespace edupulse::simulation
