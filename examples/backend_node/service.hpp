#pragma once
// What the service answers. Every request is answered from this process: the cluster has already
// brought here what was posted elsewhere.

#include "handlers.hpp"
#include <edupulse/node.hpp>
#include <httplib.h>
#include <memory>

namespace edupulse::backend {

class service {
public:
  /// Both must outlive it.
  service(node& at, std::shared_ptr<search::index_desk> desk) : node_(at), desk_(std::move(desk)) {}

  /// Declares the routes. The server calls them on its own threads.
  void add_routes(httplib::Server& server);

private:
  void post_lesson(const httplib::Request& asked, httplib::Response& answer);
  void search(const httplib::Request& asked, httplib::Response& answer);
  void ready(const httplib::Request& asked, httplib::Response& answer);
  void members(httplib::Response& answer);
  void ledger(httplib::Response& answer);

  node& node_;
  std::shared_ptr<search::index_desk> desk_;
};

} // namespace edupulse::backend
