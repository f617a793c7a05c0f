#include "actors/topic_trie.hpp"
#include <algorithm>

namespace edupulse {

topic_trie::place topic_trie::place_of(const topic_filter& filter) {
  const auto& tokens = filter.tokens();
  if (filter.includes_itself_and_below())
    return {tokens.size(), &node::here_and_below};
  if (!tokens.empty() && tokens.back() == ">")
    return {tokens.size() - 1, &node::below};
  return {tokens.size(), &node::ends_here};
}

void topic_trie::insert(const topic_filter& filter, std::uint32_t subscriber) {
  const place where = place_of(filter);
  node* at = &root_;
  for (std::size_t depth = 0; depth < where.depth; ++depth) {
    auto& child = at->children[filter.tokens()[depth]];
    if (!child)
      child = std::make_unique<node>();
    at = child.get();
  }
  subscriber_list& list = at->*where.list;
  const auto position = std::lower_bound(list.begin(), list.end(), subscriber);
  if (position == list.end() || *position != subscriber)
    list.insert(position, subscriber);
}

void topic_trie::erase(const topic_filter& filter, std::uint32_t subscriber) {
  erase_below(root_, filter, 0, place_of(filter), subscriber);
}

void topic_trie::erase_below(node& at, const topic_filter& filter, std::size_t depth,
                             const place& where, std::uint32_t subscriber) {
  if (depth == where.depth) {
    subscriber_list& list = at.*where.list;
    const auto position = std::lower_bound(list.begin(), list.end(), subscriber);
    if (position != list.end() && *position == subscriber)
      list.erase(position);
    return;
  }
  const auto child = at.children.find(filter.tokens()[depth]);
  if (child == at.children.end())
    return;
  erase_below(*child->second, filter, depth + 1, where, subscriber);
  if (child->second->useless())
    at.children.erase(child);
}

void topic_trie::collect(std::string_view topic, std::vector<std::uint32_t>& into) const {
  walk(root_, topic, true, into);
}

/// `rest` is what the path to `at` leaves of the topic: its first token is the next to match. It is
/// null (not only empty) at the end. No deeper than the longest filter.
void topic_trie::walk(const node& at, std::string_view rest, bool first, subscriber_list& into) {
  const auto append = [&into](const subscriber_list& list) {
    into.insert(into.end(), list.begin(), list.end());
  };
  append(at.here_and_below);
  if (rest.data() == nullptr) {
    append(at.ends_here);
    return;
  }
  const std::size_t dot = rest.find('.');
  const std::string_view token = rest.substr(0, dot);
  const std::string_view next =
      dot == std::string_view::npos ? std::string_view{} : rest.substr(dot + 1);
  const bool wildcards_apply = !first || !token.starts_with('$');
  if (wildcards_apply)
    append(at.below);
  if (at.children.empty())
    return;
  if (const auto child = at.children.find(token); child != at.children.end())
    walk(*child->second, next, false, into);
  if (!wildcards_apply)
    return;
  if (const auto any = at.children.find(std::string_view("*")); any != at.children.end())
    walk(*any->second, next, false, into);
}

} // namespace edupulse
