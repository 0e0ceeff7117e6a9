/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Definitions shared by every header of Pollux: attributes, thread roles, limits.
 *
 * Threads: macros only.
 * Memory:  none.
 */
#ifndef PLX_DEFS_H
#define PLX_DEFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
# define PLX_STATIC_ASSERT(cond, msg) static_assert(cond, msg)
#else
# define PLX_STATIC_ASSERT(cond, msg) _Static_assert(cond, msg)
#endif

/** One cache line, bytes. Structures that two threads touch are laid out in this unit. */
#define PLX_CACHE_LINE    64
#define PLX_CACHE_ALIGNED __attribute__((aligned(PLX_CACHE_LINE)))

#define plx_likely(x)   __builtin_expect(!!(x), 1)
#define plx_unlikely(x) __builtin_expect(!!(x), 0)

#define PLX_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define PLX_NODISCARD         __attribute__((warn_unused_result))
#define PLX_PACKED            __attribute__((packed))

/** Symbols a program may link against; everything else is hidden in the shared library. */
#define PLX_API __attribute__((visibility("default")))

/**
 * Thread roles. Every public function carries exactly one of them:
 *
 *   PLX_ON_WORKER   only the worker lcore that owns the object
 *   PLX_ON_APP      only the application core that owns the attachment
 *   PLX_ON_MAIN     only the control thread
 *   PLX_ANY_THREAD  any thread at any time
 *
 * With clang and -DPLX_THREAD_ROLES they are capabilities of the thread-safety analysis: a
 * function with one role that calls a function with another does not compile. A function
 * without a role (a static helper, a test) is not judged: it runs where its caller runs. That
 * is why each capability is the same member of three objects: clang tells "holds another
 * object's member" (-Wthread-safety-precise, an error) from "holds nothing"
 * (-Wthread-safety-analysis, off; by pragma, as the option would turn both off). The objects
 * exist for the analysis only.
 *
 * Before a worker or an application core runs, and after it ended, the control thread acts in
 * its place: such a function says so with PLX_ACT_AS_WORKER() or PLX_ACT_AS_APP().
 */
#if defined(__clang__) && defined(PLX_THREAD_ROLES)
# pragma clang diagnostic ignored "-Wthread-safety-analysis"
struct __attribute__((capability("thread role"))) plx_thread_role {
	int unused;
};
struct plx_thread {
	struct plx_thread_role role;
};
extern struct plx_thread plx_worker_thread;
extern struct plx_thread plx_app_thread;
extern struct plx_thread plx_main_thread;
# define PLX_ON_WORKER __attribute__((requires_capability(plx_worker_thread.role)))
# define PLX_ON_APP    __attribute__((requires_capability(plx_app_thread.role)))
# define PLX_ON_MAIN   __attribute__((requires_capability(plx_main_thread.role)))
static inline void plx_act_as_worker(void)
        __attribute__((assert_capability(plx_worker_thread.role)));
static inline void
plx_act_as_worker(void)
{
}
static inline void plx_act_as_app(void)
        __attribute__((assert_capability(plx_app_thread.role)));
static inline void
plx_act_as_app(void)
{
}
# define PLX_ACT_AS_WORKER() plx_act_as_worker()
# define PLX_ACT_AS_APP()    plx_act_as_app()
#else
# define PLX_ACT_AS_WORKER() ((void)0)
# define PLX_ACT_AS_APP()    ((void)0)
# define PLX_ON_WORKER
# define PLX_ON_APP
# define PLX_ON_MAIN
#endif
#define PLX_ANY_THREAD

/**
 * Packets handled by one call of a stage. 32 is the burst at which an acknowledgement per
 * connection and burst pays (64 and 128 gain under 3 %), and what DPDK drivers vectorise for.
 */
#define PLX_BURST_MAX 32

/** Workers of one engine: the worker number is one byte of the connection ID. */
#define PLX_WORKERS_MAX 128

/** Nanoseconds per second; times are uint64_t nanoseconds of one monotonic clock. */
#define PLX_NS_PER_S  UINT64_C(1000000000)
#define PLX_NS_PER_MS UINT64_C(1000000)
#define PLX_NS_PER_US UINT64_C(1000)

/** "Never", as a time. */
#define PLX_TIME_NEVER UINT64_MAX

#endif
