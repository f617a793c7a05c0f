// The path from a filled payload to an envelope is part of the price of every publish, so it avoids
// what a general Cap'n Proto writer would do (see payload_arena.hpp for the payload's half). The
// payload comes as a *slice*: the pointer to its root, and the objects. The header of an envelope
// is a struct whose last pointer is the payload: laid out directly before the slice, the slice's
// first word *is* that last pointer, and as pointers are relative, nothing in the payload changes.
// So one copy moves the payload, a few stores write the header, and the header's texts follow at
// the end:
//
//     word 0      root pointer                       |
//     1..7        id, publisher, time, schema        | written here by hand
//     8..11       name, subject, key, metadata       |
//     12          payload pointer
//     13..        the payload's objects
//     then        the texts of name, subject, key and metadata
//
// The encoding is Cap'n Proto's (https://capnproto.org/encoding.html); a test reads every field
// back through the generated reader.

#include "schemas/envelope_writer.hpp"

#include "schemas/envelope_block.hpp"
#include "schemas/payload_arena.hpp"
#include "schemas/topic.hpp"
#include "schemas/utf8.hpp"
#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>

namespace edupulse {

namespace {

static_assert(std::endian::native == std::endian::little,
              "the header is stored as it is in memory");

// -- layout -------------------------------------------------------------------------

namespace layout_of = envelope_layout;

constexpr std::size_t word_of(layout_of::data field) noexcept { return 1 + field; }
constexpr std::size_t slot_of(layout_of::pointer field) noexcept {
  return 1 + layout_of::data_words + field;
}
constexpr std::size_t payload_slot = slot_of(layout_of::payload);
static_assert(layout_of::payload + 1 == layout_of::pointer_count);

constexpr std::size_t entry_pointers = 2;

constexpr std::size_t text_words(std::size_t bytes) noexcept {
  return bytes == 0 ? 0 : bytes / sizeof(capnp::word) + 1; // a text ends with a zero byte
}

std::size_t meta_words(const envelope_header& header) noexcept {
  if (header.meta.empty())
    return 0;
  std::size_t words = 1 + entry_pointers * header.meta.size();
  for (const auto& [name, value] : header.meta)
    words += text_words(name.size()) + text_words(value.size());
  return words;
}

/// Fills a block of words from front to back.
class layout {
public:
  layout(capnp::word* words, std::size_t first_free) noexcept
      : words_(reinterpret_cast<std::byte*>(words)), free_(first_free) {}

  void store(std::size_t at, std::uint64_t value) noexcept {
    std::memcpy(words_ + at * sizeof value, &value, sizeof value);
  }

  /// Appends `text` and makes the pointer at `slot` point to it. Returns where it is now.
  std::string_view text(std::size_t slot, std::string_view text) noexcept {
    if (text.empty()) {
      store(slot, 0);
      return {};
    }
    constexpr std::uint64_t byte_list = layout_of::byte_element << 32;
    store(slot, list_pointer(slot) | byte_list | (std::uint64_t{text.size()} + 1) << 35);
    const std::size_t words = text_words(text.size());
    store(free_ + words - 1, 0);
    auto* to = reinterpret_cast<char*>(words_ + free_ * sizeof(capnp::word));
    std::memcpy(to, text.data(), text.size());
    free_ += words;
    return {to, text.size()};
  }

  void metadata(std::size_t slot,
                std::span<const std::pair<std::string_view, std::string_view>> meta) noexcept {
    if (meta.empty())
      return store(slot, 0);
    constexpr std::uint64_t inline_composite = std::uint64_t{7} << 32;
    const std::uint64_t count = meta.size();
    store(slot, list_pointer(slot) | inline_composite | (count * entry_pointers) << 35);
    store(free_, count << 2 | std::uint64_t{entry_pointers} << 48); // the tag: what an element is
    std::size_t entry = free_ + 1;
    free_ = entry + meta.size() * entry_pointers;
    for (const auto& [name, value] : meta) {
      text(entry, name);
      text(entry + 1, value);
      entry += entry_pointers;
    }
  }

private:
  /// Points from `slot` to the first free word, which lies behind it.
  std::uint64_t list_pointer(std::size_t slot) const noexcept {
    return std::uint64_t{free_ - slot - 1} << 2 | 1;
  }

  std::byte* words_;
  std::size_t free_;
};

// -- checks -------------------------------------------------------------------------

expected<void> check_subject(std::string_view name, std::string_view subject) {
  if (subject.empty())
    return {};
  if (subject.front() == '$')
    return fail(errc::bad_topic, "subject " + quote(subject) + " begins with \"$\"");
  std::string topic;
  topic.reserve(name.size() + 1 + subject.size());
  topic.append(name).append(1, '.').append(subject);
  return check_topic(topic);
}

expected<void> check_meta(const envelope_header& header) {
  if (header.meta.size() > max_meta_entries)
    return fail(errc::invalid_option, std::to_string(header.meta.size()) +
                                          " entries of metadata: the limit is " +
                                          std::to_string(max_meta_entries));
  std::size_t bytes = 0;
  for (const auto& [name, value] : header.meta) {
    bytes += name.size() + value.size();
    if (name.empty())
      return fail(errc::invalid_option, "an entry of metadata has no name");
    if (!is_utf8(name) || !is_utf8(value))
      return fail(errc::invalid_option, "metadata " + quote(name) + " is not UTF-8");
  }
  if (bytes > max_meta_bytes)
    return fail(errc::invalid_option, std::to_string(bytes) + " bytes of metadata: the limit is " +
                                          std::to_string(max_meta_bytes));
  return {};
}

expected<void> check_key(std::string_view key) {
  if (key.size() > max_key_bytes)
    return fail(errc::invalid_option, "a key of " + std::to_string(key.size()) +
                                          " bytes: the limit is " + std::to_string(max_key_bytes));
  if (!is_utf8(key))
    return fail(errc::invalid_option, "key " + quote(key) + " is not UTF-8");
  return {};
}

expected<void> check_header(std::string_view name, const envelope_header& header) {
  if (auto ok = check_key(header.key); !ok)
    return ok;
  if (auto ok = check_subject(name, header.subject); !ok)
    return ok;
  return check_meta(header);
}

/// True for most events, and then there is nothing more to check.
bool is_plain(const envelope_header& header) noexcept {
  return header.subject.empty() && header.meta.empty() && header.key.size() <= max_key_bytes &&
         is_utf8(header.key);
}

tl::unexpected<error> too_large(std::size_t bytes, std::size_t max_bytes) {
  return fail(errc::too_large, "the event takes " + std::to_string(bytes) +
                                   " bytes: the limit is " + std::to_string(max_bytes));
}

/// Writes all but the payload, which is there already. The layout is the drawing above.
void write_header(envelope& what, const event_type& type, const envelope_header& header,
                  std::size_t first_free) {
  // Hashed where they come from, not in their copies: a load behind the stores that made it stalls.
  const std::uint64_t key_hash = envelope_access::hash_of_key(header.key);
  const std::uint64_t name_hash = text_hash(type.name);
  layout out(envelope_access::words(what), first_free);
  out.store(0, std::uint64_t{layout_of::data_words} << 32 | std::uint64_t{layout_of::pointer_count}
                                                                << 48);
  out.store(word_of(layout_of::id_high), high_half(header.id.value));
  out.store(word_of(layout_of::id_low), low_half(header.id.value));
  out.store(word_of(layout_of::publisher_high), high_half(header.publisher.value));
  out.store(word_of(layout_of::publisher_low), low_half(header.publisher.value));
  out.store(word_of(layout_of::occurred_at), static_cast<std::uint64_t>(header.occurred_at_ms));
  out.store(word_of(layout_of::schema_id), type.schema_id);
  out.store(word_of(layout_of::schema_version), type.version);
  const auto name = out.text(slot_of(layout_of::name), type.name);
  out.text(slot_of(layout_of::subject), header.subject);
  envelope_access::set_key(what, out.text(slot_of(layout_of::key), header.key), key_hash);
  out.metadata(slot_of(layout_of::metadata), header.meta);
  if (header.subject.empty())
    envelope_access::set_topic(what, name, name.size(), name_hash);
  else
    envelope_access::set_joined_topic(what, name, header.subject);
  envelope_access::set_identity(what, header.id, header.publisher, header.occurred_at_ms);
  envelope_access::set_schema(what, type.schema_id, type.version, &type);
  envelope_access::set_meta_count(what, header.meta.size());
  envelope_access::set_payload_at(what, payload_slot);
}

envelope_ptr assemble(const event_type& type, const envelope_header& header,
                      const payload_slice& payload, std::size_t total_words) {
  const std::size_t topic_bytes =
      header.subject.empty() ? 0 : type.name.size() + 1 + header.subject.size();
  envelope* what = envelope_access::allocate(total_words, topic_bytes);
  capnp::word* slot = envelope_access::words(*what) + payload_slot;
  std::memcpy(static_cast<void*>(slot), &payload.pointer, sizeof payload.pointer);
  if (!payload.objects.empty())
    std::memcpy(static_cast<void*>(slot + 1), payload.objects.data(), payload.objects.size_bytes());
  write_header(*what, type, header, payload_slot + 1 + payload.objects.size());
  return envelope_access::adopt(what);
}

} // namespace

// -- envelope_writer ------------------------------------------------------------------

envelope_writer::envelope_writer(const event_type& type)
    : type_(type), arena_(payload_arena::acquire()) {}

envelope_writer::~envelope_writer() { payload_arena::release(arena_); }

capnp::AnyPointer::Builder envelope_writer::payload() noexcept { return arena_->root(); }

expected<envelope_ptr> envelope_writer::finish(const envelope_header& header,
                                               std::size_t max_bytes) {
  if (!is_plain(header))
    if (auto ok = check_header(type_.name, header); !ok)
      return tl::unexpected(std::move(ok.error()));
  const payload_slice payload = arena_->slice();
  const std::size_t total_words =
      payload_slot + 1 + payload.objects.size() + text_words(type_.name.size()) +
      text_words(header.subject.size()) + text_words(header.key.size()) + meta_words(header);
  const std::size_t limit = std::min(max_bytes, hard_max_envelope_bytes);
  if (total_words * sizeof(capnp::word) > limit)
    return too_large(total_words * sizeof(capnp::word), limit);
  return assemble(type_, header, payload, total_words);
}

void envelope_writer::set_travel(envelope_ptr& what, delivery_level level, time_point expires_at,
                                 tracker* tracked_by, void (*release)(tracker*)) noexcept {
  assert(what.what_->references_.load(std::memory_order_relaxed) == 1);
  what.what_->level_ = level;
  what.what_->expires_at_ = expires_at;
  what.what_->tracker_ = tracked_by;
  what.what_->release_tracker_ = release;
}

} // namespace edupulse
