/** A declarative file of Kong with services, routes, plugins, consumers and upstreams. */
export const KONG = {
  _format_version: '3.0',
  services: [
    {
      name: 'orders',
      host: 'orders-pool',
      port: 8080,
      protocol: 'http',
      path: '/api',
      connect_timeout: 3000,
      read_timeout: 20000,
      routes: [
        { name: 'orders-read', paths: ['/orders'], methods: ['GET', 'HEAD'], hosts: ['api.example.com'] },
        { name: 'orders-write', paths: ['/orders'], methods: ['POST', 'GET'], hosts: ['api.example.com'] },
        {
          name: 'raw',
          paths: ['/raw/'],
          strip_path: false,
          plugins: [{ name: 'rate-limiting', config: { second: 5 } }],
        },
        { name: 'pattern', paths: ['~/v\\d+/x', '/'] },
      ],
      plugins: [{ name: 'key-auth' }, { name: 'request-size-limiting', config: { allowed_payload_size: 2 } }],
    },
    { name: 'broken', routes: [{ name: 'r', paths: ['/b'] }] },
  ],
  upstreams: [
    {
      name: 'orders-pool',
      targets: [
        { target: '10.0.0.1:8080', weight: 100 },
        { target: '10.0.0.2:8080', weight: 50 },
      ],
    },
  ],
  plugins: [
    { name: 'cors', config: { origins: ['https://app.example.com'], credentials: true, max_age: 600 } },
    { name: 'rate-limiting', service: 'orders', config: { minute: 100, day: 5000, policy: 'local' } },
    { name: 'prometheus' },
  ],
  consumers: [
    {
      username: 'acme',
      keyauth_credentials: [{ key: 'PLANTED-SECRET-KEY' }],
      acls: [{ group: 'gold' }],
      plugins: [{ name: 'rate-limiting', config: { hour: 10 } }],
    },
  ],
}

/** The same kinds of parts at the top of the document, each with the name of its owner, and defaults of decK. */
export const FLAT = {
  _format_version: '3.0',
  _info: { defaults: { service: { retries: 1 }, route: { strip_path: false }, target: { weight: 7 } } },
  _plugin_configs: { keys: { key_names: ['apikey', 'x-key'] } },
  services: [{ name: 'stock', host: 'stock-pool', protocol: 'http' }],
  routes: [{ name: 'stock', service: { name: 'stock' }, paths: ['/stock'] }],
  upstreams: [{ name: 'stock-pool', targets: [{ target: '10.0.0.3:80' }] }],
  plugins: [
    { name: 'key-auth', service: 'stock', _config: 'keys' },
    { name: 'acl', route: { name: 'stock' }, config: { allow: ['gold'] } },
    {
      name: 'rate-limiting-advanced',
      consumer: 'ann',
      config: { limit: [5], window_size: [60], identifier: 'consumer' },
    },
  ],
  consumers: [{ username: 'ann', id: 'uuid-ann' }, { username: 'bob' }],
  acls: [{ consumer: 'ann', group: 'gold' }],
  keyauth_credentials: [
    { consumer: { id: 'uuid-ann' }, key: 'PLANTED-KEY-OF-ANN' },
    { consumer: 'bob', key: 'PLANTED-KEY-OF-BOB' },
  ],
  basicauth_credentials: [{ consumer: 'bob', username: 'b', password: 'PLANTED-PASSWORD' }],
  consumer_groups: [{ name: 'slow' }],
  consumer_group_consumers: [{ consumer: 'bob', consumer_group: 'slow' }],
  consumer_group_plugins: [{ name: 'rate-limiting-advanced', consumer_group: 'slow' }],
  filter_chains: [{ service: { name: 'other' }, filters: [{ name: 'f' }] }],
  vaults: [{ prefix: 'v', name: 'env' }],
}
