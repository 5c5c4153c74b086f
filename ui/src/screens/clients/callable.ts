interface Endpoint<M> {
  readonly methods: readonly M[]
  readonly path: string
}

/** The endpoints whose path needs no value, with a method. Those that only read come first. */
export function callable<M extends string, E extends Endpoint<M>>(
  endpoints: readonly (E & Endpoint<M>)[],
): { readonly proxy: E; readonly method: M }[] {
  return endpoints
    .filter(({ path, methods }) => !path.includes('{') && methods.length > 0)
    .map((proxy) => ({ proxy, method: proxy.methods.find((one) => one === 'GET') ?? proxy.methods[0]! }))
    .sort((a, b) => Number(b.method === 'GET') - Number(a.method === 'GET'))
}
