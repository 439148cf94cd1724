"""Stand-in delegates: shared libraries of TensorFlow Lite's real delegate ABI, compiled when a test wants
one.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable

import pytest

# The structs are those of TensorFlow Lite's core/c/common.h, as far as a delegate needs them. In use, this
# one takes over every edgetpu-custom-op and answers with the highest value for class 7.
SOURCE = r"""
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
typedef struct { int size; int data[]; } IntArray;
typedef struct {
  int type; void *data; IntArray *dims; float scale; int32_t zero; int allocation; size_t bytes;
  const void *allocated; const char *name; void *delegate; int handle; char stale, variable; int quantization;
  void *parameters; void *sparsity; IntArray *signature;
} Tensor;
typedef struct { IntArray *inputs, *outputs, *intermediates, *temporaries; void *user_data; } Node;
typedef struct Context Context;
typedef struct {
  void *(*init)(Context *, const char *, size_t); void (*free)(Context *, void *);
  int (*prepare)(Context *, Node *); int (*invoke)(Context *, Node *); void *profile;
  int32_t builtin; const char *custom; int version; void *external; void *async; uint64_t inplace;
} Registration;
struct Context {
  size_t tensors_size; int (*plan)(Context *, IntArray **); Tensor *tensors; void *impl;
  int (*resize)(Context *, Tensor *, IntArray *); void (*report)(Context *, const char *, ...);
  int (*add)(Context *, int, int *); int (*node)(Context *, int, Node **, Registration **);
  int (*replace)(Context *, Registration, const IntArray *, void *);
};
typedef struct Delegate {
  void *data; int (*prepare)(Context *, struct Delegate *); void *copy[3]; int64_t flags; void *builder;
} Delegate;

static int alive;
static int ready(Context *c, Node *n) { (void)c; (void)n; return 0; }
static int answer(Context *c, Node *n) {
  Tensor *out = &c->tensors[n->outputs->data[0]];
  memset(out->data, 0, out->bytes);
  ((uint8_t *)out->data)[7] = 255;
  return 0;
}
static int prepare(Context *c, Delegate *d) {
#ifdef ABORT_LATE
  abort();
#endif
  IntArray *plan;
  if (c->plan(c, &plan)) return 1;
  IntArray *mine = calloc(1, sizeof(IntArray) + plan->size * sizeof(int));
  for (int i = 0; i < plan->size; i++) {
    Node *node; Registration *kind;
    if (c->node(c, plan->data[i], &node, &kind)) return 1;
    int ours = kind->custom && !strcmp(kind->custom, "edgetpu-custom-op");
    if (ours) mine->data[mine->size++] = plan->data[i];
  }
  Registration ours = {0};
  ours.prepare = ready; ours.invoke = answer; ours.custom = "stand-in"; ours.version = 1;
  int status = mine->size ? c->replace(c, ours, mine, d) : 0;
  free(mine);
  return status;
}
Delegate *tflite_plugin_create_delegate(char **k, char **v, size_t count, void (*report)(const char *)) {
  (void)k; (void)v; (void)count;
#ifdef SINGLE
  if (alive) { report("the device holds a model already"); return NULL; }
  alive = 1;
#endif
#ifdef REFUSE
  report("no device of this kind was found");
  return NULL;
#endif
#ifdef ABORT
  abort();
#endif
  (void)report;
  Delegate *made = calloc(1, sizeof(Delegate));
  made->prepare = prepare;
  made->flags = 1; /* may see the graph before every operator is prepared: the Edge TPU's own cannot be */
  return made;
}
void tflite_plugin_destroy_delegate(Delegate *delegate) { alive = 0; free(delegate); }
"""

Library = Callable[[str], str]


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """Compile a stand-in: OBLIGE, REFUSE, SINGLE (one at a time), ABORT or ABORT_LATE."""
    compiler = shutil.which("cc")
    if not compiler:
        pytest.skip("there is no C compiler here to make a stand-in delegate with")
    folder = tmp_path_factory.mktemp("delegates")
    (folder / "delegate.c").write_text(SOURCE)

    def compiled(variant: str) -> str:
        made = folder / f"lib{variant.lower()}.so"
        if not made.exists():
            asked = [
                compiler,
                "-shared",
                "-fPIC",
                f"-D{variant}",
                "-o",
                str(made),
                str(folder / "delegate.c"),
            ]
            subprocess.run(asked, check=True, capture_output=True)
        return str(made)

    return compiled
