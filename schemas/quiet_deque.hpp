#pragma once
// A deque that holds no memory before it is used: one of the standard library takes half a
// kilobyte, and a node with many peers has several for each, most of which stay empty.

#include <boost/container/deque.hpp>

namespace edupulse {

template <class T> using quiet_deque = boost::container::deque<T>;

} // namespace edupulse
