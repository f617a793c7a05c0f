#pragma once
// One visitor of a variant out of several lambdas.

namespace edupulse {

template <class... Fs> struct overloaded : Fs... { using Fs::operator()...; };
template <class... Fs> overloaded(Fs...) -> overloaded<Fs...>;

} // namespace edupulse
