#pragma once
// What `node::subscribe` gives back.

#include "schemas/error.hpp"
#include "schemas/ids.hpp"
#include <memory>
#include <string>
#include <utility>

namespace edupulse {

class node_impl;

/// A subscription by name. Dropping the handle changes nothing.
class subscription {
public:
  const std::string& name() const noexcept { return name_; }
  const subscription_id& id() const noexcept { return id_; }
  /// Returns when no call is running and nothing is owed any more; inside the handler itself it
  /// takes effect when the call returns. What was waiting is dropped and counted.
  expected<void> unsubscribe();
  /// Events wait. Calls that are running end.
  expected<void> pause();
  /// Ends a pause, and the quarantine of its scope.
  expected<void> resume();

private:
  friend class node;
  subscription(std::weak_ptr<node_impl> node, std::string name, subscription_id id)
      : node_(std::move(node)), name_(std::move(name)), id_(id) {}
  std::weak_ptr<node_impl> node_;
  std::string name_;
  subscription_id id_;
};

} // namespace edupulse
