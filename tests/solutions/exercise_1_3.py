# minigan learn 1.3: From last to first
def backward_order(graph):
    """graph = {"loss": ["a", "b"], "a": ["x"], "b": ["a", "x"], "x": []}: each node with its inputs.

    Return all nodes in an order in which a backward may visit them, the loss first: each node after everything that
    uses it, since only then is its gradient complete. Above: loss, b, a, x.
    """
    found = []

    def visit(node):
        if node not in found:
            for name in graph[node]:
                visit(name)
            found.append(node)

    visit("loss")
    [visit(n) for n in graph]
    order, counts = [], {n: sum(i.count(n) for i in graph.values()) for n in graph}
    ready = [n for n in graph if not counts[n]]
    while ready:
        node = ready.pop()
        order.append(node)
        for name in graph[node]:
            counts[name] -= 1
            if not counts[name]:
                ready.append(name)
    return order
