#include "runtime/plugins/crash_notes.hpp"

#include "runtime/plugins/crash_history.hpp"
#include "runtime/plugins/crash_watch.hpp"
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <new>
#include <regex>
#include <sys/mman.h>
#include <sys/stat.h>

namespace edupulse {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t slot_count = 1024;
constexpr std::size_t file_bytes = slot_count * sizeof(call_slot);
constexpr std::size_t backtrace_max = 2048;

tl::unexpected<error> trouble(const char* what, const fs::path& file) {
  return fail(errc::io, std::string("cannot ") + what + " " + quote(file.native(), 512) + ": " +
                            std::strerror(errno));
}

template <class Id> Id id_of(const std::array<unsigned char, 16>& bytes) {
  Id result;
  std::copy(bytes.begin(), bytes.end(), result.value.begin());
  return result;
}

/// A plugin is loaded from a copy without a name; where its parts lie is what matters.
std::string read_backtrace(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::string text(backtrace_max, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  static const std::regex unnamed("/proc/self/fd[/.]*[0-9]+");
  return std::regex_replace(text, unnamed, "plugin");
}

std::string how_it_ended(const call_slot& slot, const fs::path& backtrace) {
  if (slot.state != call_slot::crashed)
    return "the process was killed, or ended itself, while the call ran";
  const int number = slot.how;
  if (number == 0)
    return "the call ended the process with exit()";
  const char* const name = ::strsignal(number);
  auto text =
      (name == nullptr ? "signal" : std::string(name)) + " (" + std::to_string(number) + ")";
  if (const auto where = read_backtrace(backtrace); !where.empty())
    text += ", at\n" + where;
  return text;
}

/// The file is ours, but a half-written or older one is nothing to die of.
std::vector<fatal_call> read_slots(const fs::path& file, const fs::path& backtrace) {
  std::vector<fatal_call> found;
  std::ifstream in(file, std::ios::binary);
  std::array<char, sizeof(call_slot)> bytes;
  for (std::size_t i = 0; i < slot_count && in.read(bytes.data(), bytes.size()); ++i) {
    call_slot slot;
    std::memcpy(static_cast<void*>(&slot), bytes.data(), sizeof slot);
    if (slot.state != call_slot::in_call && slot.state != call_slot::crashed)
      continue;
    slot.handler.back() = '\0';
    found.push_back({id_of<event_id>(slot.event), id_of<node_id>(slot.publisher),
                     slot.handler.data(), slot.state == call_slot::crashed,
                     how_it_ended(slot, backtrace)});
  }
  if (std::any_of(found.begin(), found.end(), [](const auto& one) { return one.proven; }))
    std::erase_if(found, [](const auto& one) { return !one.proven; });
  return found;
}

expected<call_slot*> map_slots(const fs::path& file) {
  const descriptor opened(::open(file.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!opened)
    return trouble("make", file);
  // A page that the disk has no room for would be found out in the middle of a call.
  if (const int failed = ::posix_fallocate(opened.number(), 0, file_bytes); failed != 0) {
    errno = failed;
    return trouble("make room for", file);
  }
  void* const at =
      ::mmap(nullptr, file_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, opened.number(), 0);
  if (at == MAP_FAILED)
    return trouble("map", file);
  return static_cast<call_slot*>(at); // zeroes: all of them are free
}

} // namespace

expected<std::unique_ptr<crash_notes>> crash_notes::open(const fs::path& data_dir, limits most) {
  const auto calls = data_dir / "calls";
  const auto backtrace = data_dir / "backtrace";
  auto found = read_slots(calls, backtrace);
  auto history = crash_history::open(crash_history::file_in(data_dir));
  if (!history)
    return tl::unexpected(history.error());
  if (auto good = history->add(found); !good)
    return tl::unexpected(good.error());
  auto refused = history->refused(most);
  if (!refused)
    return tl::unexpected(refused.error());
  // Counted: now it may be forgotten.
  const auto slots = map_slots(calls);
  if (!slots)
    return tl::unexpected(slots.error());
  const int to =
      ::open(backtrace.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
  if (to < 0)
    return trouble("make", backtrace);
  std::unique_ptr<crash_notes> notes(new crash_notes(*slots, to));
  notes->found_ = std::move(found);
  notes->refused_ = std::move(*refused);
  return notes;
}

crash_notes::~crash_notes() { ::munmap(slots_, file_bytes); }

call_slot* crash_notes::take(const std::string& handler) {
  std::lock_guard guard(mutex_);
  for (std::size_t i = 0; i < slot_count; ++i)
    if (slots_[i].state == call_slot::free) {
      auto& slot = slots_[i];
      const auto size = std::min(handler.size(), slot.handler.size() - 1);
      std::copy_n(handler.begin(), size, slot.handler.begin());
      slot.handler[size] = '\0';
      slot.state = call_slot::idle;
      return &slot;
    }
  return nullptr;
}

void crash_notes::give_back(call_slot* slot) noexcept {
  if (slot != nullptr)
    slot->state.store(call_slot::free, std::memory_order_release);
}

const std::string* crash_notes::refusal(const std::string& handler, const event_id& event) const {
  if (refused_.empty())
    return nullptr;
  const auto at = refused_.find({handler, event});
  return at == refused_.end() ? nullptr : &at->second;
}

crash_notes::call::call(const crash_notes& in, call_slot* slot, const envelope& event) noexcept
    : slot_(slot) {
  if (slot_ == nullptr)
    return;
  std::copy_n(event.id().value.begin(), slot_->event.size(), slot_->event.begin());
  std::copy_n(event.publisher().value.begin(), slot_->publisher.size(), slot_->publisher.begin());
  slot_->state.store(call_slot::in_call, std::memory_order_release);
  auto& here = crash_watch::here();
  here.backtrace = in.backtrace_.number();
  here.slot = slot_;
}

crash_notes::call::~call() {
  if (slot_ == nullptr)
    return;
  crash_watch::here().slot = nullptr;
  slot_->state.store(call_slot::idle, std::memory_order_release);
}

} // namespace edupulse
