// Loads a plugin, so that its static constructors harm this process and not a node's. Started by
// nodes; of no use by hand.

#include "runtime/plugins/probe.hpp"

int main() { return edupulse::run_probe(); }
