#pragma once
// What peers have announced, by the index under which the router knows it. An index that is gone
// keeps its name for a while, for those who are still being told how it ended; later it is
// "(gone)".

#include "schemas/topic.hpp"
#include <cstdint>
#include <deque>
#include <map>
#include <string>

namespace edupulse {

class announced_names {
public:
  struct entry {
    std::string name; ///< "indexer@api-2"
    topic_filter filter;
    std::string group;
    bool gone = false;
  };
  /// Of any index there ever was.
  const entry& operator[](std::uint32_t index) const {
    static const entry forgotten{"(gone)", {}, {}, true};
    const auto at = all_.find(index);
    return at == all_.end() ? forgotten : at->second;
  }
  void list(std::uint32_t index, entry what) { all_.insert_or_assign(index, std::move(what)); }
  void retire(std::uint32_t index) {
    all_.at(index).gone = true;
    gone_.push_back(index);
    if (gone_.size() <= remembered)
      return;
    if (const auto oldest = all_.find(gone_.front()); oldest != all_.end() && oldest->second.gone)
      all_.erase(oldest);
    gone_.pop_front();
  }

private:
  static constexpr std::size_t remembered = 4096; ///< of those that are gone
  std::map<std::uint32_t, entry> all_;
  std::deque<std::uint32_t> gone_;
};

} // namespace edupulse
