#pragma once
// The inside door of a node, for the parts of the runtime that live in other files.

#include "actors/caf.hpp"
#include <edupulse/node.hpp>

namespace edupulse {

struct node_access {
  static expected<node> start(node_options options, caf::actor_system* given);
  static node_impl& impl(const node& of) { return *of.impl_; }
};

} // namespace edupulse
