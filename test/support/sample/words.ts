/** Names of a retailer's APIs, partners and people, of which the sample instance is made. */

/** Slug, name and one sentence of each collection. */
export const PRODUCTS: readonly (readonly [slug: string, name: string, about: string])[] = [
  ['orders', 'Orders', 'Places, changes and cancels orders of all shops.'],
  ['payments', 'Payments', 'Authorizes and captures payments by card, wallet and bank transfer.'],
  ['refunds', 'Refunds', 'Returns money for cancelled and returned orders.'],
  ['invoices', 'Invoices', 'Issues invoices and credit notes.'],
  ['customers', 'Customers', 'Master data of customers.'],
  ['accounts', 'Customer accounts', 'Sign-up, profile and preferences.'],
  ['addresses', 'Addresses', 'Validates and completes postal addresses.'],
  ['catalogue', 'Catalogue', 'Products, variants and their attributes.'],
  ['prices', 'Prices', 'Prices by country, channel and customer group.'],
  ['promotions', 'Promotions', 'Campaigns, coupons and their rules.'],
  ['stock', 'Stock', 'Quantities by warehouse and shop.'],
  ['warehouses', 'Warehouses', 'Places, shelves and movements of goods.'],
  ['shipments', 'Shipments', 'Labels, tracking and delivery windows.'],
  ['carriers', 'Carriers', 'Services and rates of parcel carriers.'],
  [
    'customs-declarations-and-tariff-classification',
    'Cross-border customs declarations and tariff classification (EU, UK, CH)',
    'Export and import declarations for parcels that leave the customs union, with the tariff number of each line.',
  ],
  ['returns', 'Returns', 'Return labels, reasons and inspections.'],
  ['reviews', 'Reviews', 'Reviews of products and their moderation.'],
  ['carts', 'Carts', 'Shopping carts across devices.'],
  ['checkout', 'Checkout', 'The steps from a cart to an order.'],
  ['vouchers', 'Vouchers', 'Gift cards and their balances.'],
  ['loyalty', 'Loyalty', 'Points, tiers and rewards.'],
  ['subscriptions', 'Subscriptions', 'Repeated deliveries and their schedules.'],
  ['billing', 'Billing', 'Billing runs for business customers.'],
  ['taxes', 'Taxes', 'Tax rates and exemptions.'],
  ['currencies', 'Currencies', 'Exchange rates of the day.'],
  ['ledger', 'Ledger', 'Postings and balances.'],
  ['payouts', 'Payouts', 'Payments to marketplace sellers.'],
  ['disputes', 'Disputes', 'Chargebacks and their evidence.'],
  ['risk', 'Risk scores', 'Scores orders before they are paid.'],
  ['consents', 'Consents', 'What customers have agreed to.'],
  ['notifications', 'Notifications', 'Messages by email, text and push.'],
  ['search', 'Search', 'Full-text search of the catalogue.'],
  ['recommendations', 'Recommendations', 'Products that fit a cart or a customer.'],
  ['media', 'Media', 'Images and videos of products.'],
  ['documents', 'Documents', 'Manuals, certificates and data sheets.'],
  ['contracts', 'Contracts', 'Contracts with suppliers and business customers.'],
  ['suppliers', 'Suppliers', 'Master data of suppliers.'],
  ['purchase-orders', 'Purchase orders', 'Orders that we place with suppliers.'],
  ['forecasts', 'Forecasts', 'Expected demand by product and week.'],
  ['reports', 'Reports', 'Figures for controlling.'],
  ['events', 'Events', 'Changes of all systems as a stream.'],
  ['webhooks', 'Webhooks', 'Subscriptions of partners to events.'],
  ['tickets', 'Support tickets', 'Questions of customers and their answers.'],
  ['appointments', 'Appointments', 'Appointments in shops and workshops.'],
  ['vehicles', 'Vehicles', 'Vans, their routes and their service.'],
  ['shops', 'Shops', 'Opening hours and services of shops.'],
  ['employees', 'Employees', 'Shifts and roles of employees in shops.'],
  ['energy', 'Energy meters', 'Readings of meters in shops and warehouses.'],
  ['weather', 'Weather', 'Weather by shop, which forecasts use.'],
  ['legacy-soap-bridge', 'Legacy bridge', 'The old merchandise system, until it is replaced.'],
]

/** Resources below each collection, by the last part of the path. */
export const PARTS = [
  '',
  'lines',
  'notes',
  'attachments',
  'history',
  'labels',
  'exports',
  'settings',
  'statistics',
  'templates',
] as const

export const VERBS = [
  { method: 'GET', byId: false, name: 'List' },
  { method: 'POST', byId: false, name: 'Create' },
  { method: 'GET', byId: true, name: 'Read' },
  { method: 'PATCH', byId: true, name: 'Change' },
  { method: 'DELETE', byId: true, name: 'Delete' },
] as const

export const PARTNERS = [
  'Acme Retail',
  'Nordwind Logistics',
  'Kaufmann & Söhne',
  'Bluebird Marketplace',
  'Delta Freight',
  'Fjord Outdoor',
  'Gartenfreunde',
  'Helios Energy',
  'Iris Optics',
  'Juno Fashion',
  'Kiwi Kids',
  'Lumen Lighting',
  'Mosaik Kitchens',
  'Nimbus Weather Services',
  'Oak & Ash Furniture',
  'Pixel Print',
  'Quartz Watches',
  'Rhine Valley Wholesale Cooperative for Food and Beverages',
  'Solaris Travel',
  'Tempo Couriers',
] as const

export const APPS = [
  'Web shop',
  'Mobile app',
  'Point of sale',
  'Call centre desktop',
  'Warehouse scanner',
  'Nightly billing',
  'Data warehouse loader',
  'Price crawler check',
  'Load test',
  'Canary',
] as const

export const AGENTS = ['Shopping assistant', 'Support copilot', 'Procurement agent', 'Report writer'] as const

export const PEOPLE = [
  'Ada Okafor',
  'Bruno Keller',
  'Chiara Rossi',
  'Daniel Brandt',
  'Elif Yılmaz',
  'Farid Haddad',
  'Greta Lindqvist',
  'Hana Novák',
  'Ines Carvalho',
  'Jonas Weber',
  'Keiko Tanaka',
  'Liam Murphy',
  'Maria Theresia von Hohenberg-Waldenfels',
  'Nikhil Rao',
  'Olga Petrenko',
  'Paul Dubois',
  'Quentin Moreau',
  'Rosa Jiménez',
  'Sven Eriksen',
  'Tara Singh',
] as const

export const TEAMS = [
  ['commerce', 'Commerce', null],
  ['payments', 'Payments', 'commerce'],
  ['catalogue', 'Catalogue', 'commerce'],
  ['logistics', 'Logistics', null],
  ['warehouse', 'Warehouse systems', 'logistics'],
  ['platform', 'Platform', null],
  ['data', 'Data and reporting', null],
  ['support', 'Customer support', null],
] as const

/** `Kaufmann & Söhne` as `kaufmann-sohne`. */
export function slugOf(name: string): string {
  return name
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll(/\p{M}/gu, '')
    .replaceAll('ı', 'i')
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '')
    .slice(0, 48)
}
