#pragma once
// An envelope is an event ready to travel: one Cap'n Proto message of one segment, with the fields
// that everybody asks for read once and kept beside it. It is immutable once made, reference
// counted, and lives in one allocation: router, handlers, links and mirrors share it and never copy
// it.

#include "schemas/error.hpp"
#include "schemas/ids.hpp"
#include "schemas/prefetch.hpp"
#include <atomic>
#include <capnp/any.h>
#include <capnp/message.h>
#include <capnp/schema.h>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace edupulse {

using duration = std::chrono::nanoseconds;
using time_point = std::chrono::time_point<std::chrono::steady_clock, duration>;

/// Publish with what promise. See docs/guarantees.md.
enum class delivery_level : std::uint8_t { best_effort, acknowledged };

/// What the code generator knows of one event struct. Static storage, one object per struct (a
/// plugin that was compiled with the same struct has its own: compare `schema_id`, not addresses).
struct event_type {
  std::string_view name;   ///< from `$Event.name`
  std::uint16_t version;   ///< from `$Event.version`, 1 when not given
  std::uint64_t schema_id; ///< Cap'n Proto's 64-bit type id
  capnp::StructSchema (*schema)();
  std::string_view key_field; ///< the field with `$Event.key`, empty when there is none
  /// The key's text in a payload of this type, for code that knows the type only at run time. Null
  /// when there is no key field. May throw `kj::Exception` when the payload is malformed.
  std::string (*key_of)(capnp::AnyPointer::Reader payload);
  /// From `$Event.level`: what a publish promises that does not say.
  delivery_level level = delivery_level::acknowledged;
};

/// The event type of a name, null when there is none.
using type_lookup = std::function<const event_type*(std::string_view name)>;

/// Anything that wants to hear what became of one event (receipts). Reference counted by the
/// envelope; calls come from the router's thread.
class tracker {
public:
  virtual ~tracker() = default;
};

class envelope_ptr;

class envelope {
public:
  envelope(const envelope&) = delete;
  envelope& operator=(const envelope&) = delete;

  // -- identity -----------------------------------------------------------------
  const event_id& id() const noexcept { return id_; }
  const node_id& publisher() const noexcept { return publisher_; }
  /// `name` or `name.subject`. Lives as long as the envelope, like every view below.
  std::string_view topic() const noexcept { return topic_; }
  std::string_view name() const noexcept { return topic_.substr(0, name_bytes_); }
  std::string_view subject() const noexcept {
    return topic_.size() > name_bytes_ ? topic_.substr(name_bytes_ + 1u) : std::string_view{};
  }
  /// Unix time in milliseconds at the publisher.
  std::int64_t occurred_at_ms() const noexcept { return occurred_at_ms_; }
  std::string_view key() const noexcept { return key_; }
  /// 0 without a key, never 0 with one. Two keys with one hash are ordered as if they were one.
  std::uint64_t key_hash() const noexcept { return key_hash_; }
  /// A hash of `topic()`, for the router's cache.
  std::uint64_t topic_hash() const noexcept { return topic_hash_; }
  std::uint64_t schema_id() const noexcept { return schema_id_; }
  std::uint16_t schema_version() const noexcept { return schema_version_; }

  // -- contents -----------------------------------------------------------------
  /// Empty when there is no such entry. Linear in the number of entries.
  std::string_view meta(std::string_view name) const;
  std::size_t meta_count() const noexcept { return meta_count_; }
  /// `index` < `meta_count()`.
  std::pair<std::string_view, std::string_view> meta_at(std::size_t index) const;
  /// The whole message: exactly one segment, without a segment table.
  std::span<const capnp::word> words() const noexcept { return {words_, word_count_}; }
  /// The message from the payload's pointer on. All that the payload can point to lies behind it,
  /// so this is a message of its own, whose root is the payload. Empty when the payload is null.
  std::span<const capnp::word> payload_words() const noexcept {
    return words().subspan(payload_at_);
  }
  /// What it costs to keep: the message and this object, in bytes.
  std::size_t footprint() const noexcept { return footprint_; }
  /// The compiled-in type when it was published or received by code that knows it, else null.
  const event_type* type() const noexcept { return type_; }
  /// Asks for its memory ahead of its use: what another thread wrote takes a while to come.
  void prefetch() const noexcept { prefetch_lines<4>(this); }

  // -- how this copy travels (never part of the bytes) ---------------------------
  delivery_level level() const noexcept { return level_; }
  /// `time_point::max()` when it does not expire.
  time_point expires_at() const noexcept { return expires_at_; }
  tracker* tracked_by() const noexcept { return tracker_; }

private:
  friend class envelope_ptr;
  friend class envelope_writer;
  friend struct envelope_access;
  envelope() = default;
  ~envelope();
  /// Gives one reference back. The only owner need not count: nobody else can make a copy.
  bool is_last_reference() const noexcept {
    return references_.load(std::memory_order_acquire) == 1 ||
           references_.fetch_sub(1, std::memory_order_acq_rel) == 1;
  }
  static void destroy(envelope* what) noexcept;

  // First what threads read that did not make it: sending, counting and freeing an envelope touch
  // one cache line of the object.
  mutable std::atomic<std::uint32_t> references_{1};
  std::uint32_t word_count_ = 0;
  const capnp::word* words_ = nullptr;
  std::uint32_t footprint_ = 0;
  std::uint32_t payload_at_ = 0;
  tracker* tracker_ = nullptr;
  void (*release_tracker_)(tracker*) = nullptr;
  time_point expires_at_ = time_point::max();
  std::uint64_t topic_hash_ = 0;
  std::uint16_t name_bytes_ = 0;
  std::uint16_t schema_version_ = 0;
  std::uint16_t meta_count_ = 0;
  delivery_level level_ = delivery_level::acknowledged;
  std::string_view topic_;
  std::string_view key_;
  std::uint64_t key_hash_ = 0;
  event_id id_;
  node_id publisher_;
  std::int64_t occurred_at_ms_ = 0;
  std::uint64_t schema_id_ = 0;
  const event_type* type_ = nullptr;
};

/// Shares one envelope. Copying counts a reference; moving does not. Any thread.
class envelope_ptr {
public:
  envelope_ptr() noexcept = default;
  envelope_ptr(const envelope_ptr& other) noexcept : what_(other.what_) {
    if (what_ != nullptr)
      what_->references_.fetch_add(1, std::memory_order_relaxed);
  }
  envelope_ptr(envelope_ptr&& other) noexcept : what_(std::exchange(other.what_, nullptr)) {}
  envelope_ptr& operator=(envelope_ptr other) noexcept {
    std::swap(what_, other.what_);
    return *this;
  }
  ~envelope_ptr() {
    if (what_ != nullptr && what_->is_last_reference())
      envelope::destroy(what_);
  }
  /// Shares an envelope that the caller reaches by reference (inside a handler, say).
  static envelope_ptr share(const envelope& what) noexcept {
    what.references_.fetch_add(1, std::memory_order_relaxed);
    return envelope_ptr(const_cast<envelope*>(&what));
  }

  const envelope& operator*() const noexcept { return *what_; }
  const envelope* operator->() const noexcept { return what_; }
  const envelope* get() const noexcept { return what_; }
  explicit operator bool() const noexcept { return what_ != nullptr; }

private:
  friend class envelope_writer;
  friend struct envelope_access;
  explicit envelope_ptr(envelope* what) noexcept : what_(what) {}
  envelope* what_ = nullptr;
};

} // namespace edupulse
