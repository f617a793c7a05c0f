#pragma once
// What is known at compile time of a struct that is an event. capnpc-edupulse writes a
// specialization for each struct with `$Event.name`; every other type gets the one below.

#include "schemas/envelope.hpp"
#include <capnp/any.h>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

namespace edupulse {

/// Not an event. A specialization for an event has
///
///     static constexpr bool is_event = true;
///     static constexpr std::string_view name;         // "lesson.published"
///     static constexpr std::uint16_t version;
///     static constexpr delivery_level level;          // of a publish that does not say
///     static constexpr bool has_key;
///     static const event_type& type() noexcept;
///     static auto key(const T::Reader&) -> key_text;  // converts to std::string_view
///
/// The members below have no meaning: they are here so that the compiler, told to publish something
/// else, says `require_event`'s sentence and nothing besides.
template <class T> struct event_traits {
  static constexpr bool is_event = false;
  static constexpr std::string_view name = "";
  static constexpr std::uint16_t version = 0;
  static constexpr delivery_level level = delivery_level::acknowledged;
  static constexpr bool has_key = false;
  static const event_type& type() noexcept;
};

template <class T>
concept event = event_traits<T>::is_event;

/// For the first line of every function template that takes an event: what the user reads when the
/// type is none.
template <class T> constexpr void require_event() noexcept {
  static_assert(
      event_traits<T>::is_event,
      "this type is not an event: add `$Event.name(\"...\")` to the struct in its .capnp "
      "file and run it through edupulse_add_events(), then include the header FILE.capnp.h "
      "that it makes");
}

/// The text of a key that is a text already. Lives as long as the message it was read from.
struct text_key {
  std::string_view text;
  operator std::string_view() const noexcept { return text; }
};

/// The text of a key that is a number, in decimal.
class number_key {
public:
  template <class Number> explicit number_key(Number value) noexcept {
    if constexpr (std::is_enum_v<Number>)
      write(static_cast<std::underlying_type_t<Number>>(value));
    else
      write(value);
  }
  operator std::string_view() const noexcept { return {digits_, size_}; }

private:
  template <class Integer> void write(Integer value) noexcept {
    const auto result = std::to_chars(digits_, digits_ + sizeof digits_, value);
    size_ = static_cast<std::uint8_t>(result.ptr - digits_);
  }

  char digits_[20]; // the 20 of 2^64 - 1 and of -2^63
  std::uint8_t size_ = 0;
};

/// The key of an event without a key field.
struct no_key {
  operator std::string_view() const noexcept { return {}; }
};

/// `event_type::key_of` of the event `T`.
template <class T> std::string key_of_payload(capnp::AnyPointer::Reader payload) {
  const auto key = event_traits<T>::key(payload.getAs<T>());
  return std::string(static_cast<std::string_view>(key));
}

template <class T> capnp::StructSchema struct_schema() { return capnp::Schema::from<T>(); }

} // namespace edupulse
