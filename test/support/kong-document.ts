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
      keyauth_credentials: [{ key: 'PLANTED-SECRET' }],
      acls: [{ group: 'gold' }],
      plugins: [{ name: 'rate-limiting', config: { hour: 10 } }],
    },
  ],
}
