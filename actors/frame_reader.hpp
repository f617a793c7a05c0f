#pragma once
// Frames out of a stream of bytes. A frame's length is looked at before anything is kept for it.

#include "actors/link_frames.hpp"
#include <cstring>
#include <span>
#include <vector>

namespace edupulse {

/// Feed it what was read; it hands out whole frames. What it keeps is at most one frame that is not
/// complete yet, and what was read with it.
class frame_reader {
public:
  explicit frame_reader(std::size_t max_body) : max_body_(max_body) {}

  /// For frames that are not begun yet.
  void set_limit(std::size_t max_body) noexcept { max_body_ = max_body; }
  std::size_t kept() const noexcept { return kept_.size() - begin_; }

  /// Calls `take(kind, body)`, which answers false to stop: the rest is dropped, and the reader of
  /// no more use. Bodies are valid until the next call, and aligned to words only by chance.
  /// Errors: of `decode_header`.
  template <class F> expected<void> feed(std::span<const std::byte> bytes, F take) {
    const bool from_kept = begin_ < kept_.size();
    if (from_kept) {
      kept_.erase(kept_.begin(), kept_.begin() + static_cast<std::ptrdiff_t>(begin_));
      begin_ = 0;
      kept_.insert(kept_.end(), bytes.begin(), bytes.end());
      bytes = kept_;
    } else {
      kept_.clear();
      begin_ = 0;
    }
    const auto whole = bytes.size();
    while (bytes.size() >= frame_header::size) {
      const auto header = decode_header(bytes.first<frame_header::size>(), max_body_);
      if (!header)
        return tl::unexpected<error>(header.error());
      const auto size = frame_header::size + header->body_bytes;
      if (bytes.size() < size)
        break;
      const auto body = bytes.subspan(frame_header::size, header->body_bytes);
      bytes = bytes.subspan(size);
      if (!take(header->kind, body))
        return {};
    }
    if (from_kept)
      begin_ = whole - bytes.size(); // kept until the next call: bodies point into it
    else
      kept_.assign(bytes.begin(), bytes.end());
    return {};
  }

private:
  std::vector<std::byte> kept_;
  std::size_t begin_ = 0; ///< of what was not handed out yet
  std::size_t max_body_;
};

} // namespace edupulse
