import { Problem } from './answers.ts'

export type OrderStatus = 'open' | 'paid' | 'shipped' | 'cancelled'

export interface Item {
  readonly sku: string
  readonly quantity: number
  /** In cents. */
  readonly unit_price: number
}

export interface Order {
  readonly id: string
  status: OrderStatus
  readonly customer: string
  readonly items: readonly Item[]
  /** In cents. */
  readonly total: number
  readonly currency: 'EUR'
  readonly created_at: string
}

export interface Payment {
  readonly id: string
  readonly order_id: string
  /** In cents. */
  readonly amount: number
  readonly currency: 'EUR'
  readonly method: 'card' | 'transfer'
  readonly status: 'captured'
  readonly created_at: string
}

/** Orders and payments kept; the oldest orders beyond are forgotten. */
const ORDERS_MAX = 10_000
const STATUSES: readonly OrderStatus[] = ['open', 'paid', 'shipped', 'cancelled']

/** The state of the sample: orders and payments in memory, with eight orders to begin with. */
export function createShop() {
  const orders = new Map<string, Order>()
  const payments = new Map<string, Payment>()
  let nextOrder = 1
  let nextPayment = 1

  const add = (customer: string, items: readonly Item[]): Order => {
    const order: Order = {
      id: String(nextOrder++),
      status: 'open',
      customer,
      items,
      total: items.reduce((sum, item) => sum + item.quantity * item.unit_price, 0),
      currency: 'EUR',
      created_at: new Date().toISOString(),
    }
    orders.set(order.id, order)
    if (orders.size > ORDERS_MAX) orders.delete(orders.keys().next().value!)
    return order
  }
  const find = (id: string): Order => {
    const order = orders.get(id)
    if (order === undefined)
      throw new Problem(404, 'Order not found', `There is no order ${id.slice(0, 40)}.`)
    return order
  }

  for (const [index, customer] of [
    'ada',
    'grace',
    'linus',
    'ada',
    'edsger',
    'barbara',
    'grace',
    'ken',
  ].entries()) {
    const order = add(customer, [{ sku: `SKU-${index + 1}`, quantity: index + 1, unit_price: 1250 }])
    order.status = STATUSES[index % STATUSES.length]!
  }

  return {
    list(
      status: string | null,
      limit: number,
      after: string | null,
    ): { items: Order[]; next_cursor: string | null } {
      if (status !== null && !STATUSES.some((known) => known === status))
        throw new Problem(422, 'Status unknown', `A status is one of ${STATUSES.join(', ')}.`)
      const found = [...orders.values()].filter(
        (order) => (status === null || order.status === status) && Number(order.id) > Number(after ?? 0),
      )
      const items = found.slice(0, limit)
      return { items, next_cursor: found.length > limit ? items.at(-1)!.id : null }
    },
    get: find,
    create(body: Readonly<Record<string, unknown>>): Order {
      const { customer, items } = body
      if (typeof customer !== 'string' || customer === '' || customer.length > 80)
        throw new Problem(422, 'Order invalid', 'customer is a name of 1 to 80 characters.')
      if (!Array.isArray(items) || items.length === 0 || items.length > 100)
        throw new Problem(422, 'Order invalid', 'items has 1 to 100 items.')
      return add(customer, items.map(toItem))
    },
    cancel(id: string): Order {
      const order = find(id)
      if (order.status === 'shipped')
        throw new Problem(409, 'Order shipped', `Order ${id} is shipped and cannot be cancelled.`)
      order.status = 'cancelled'
      return order
    },
    pay(body: Readonly<Record<string, unknown>>): Payment {
      const { order_id: id, amount, method } = body
      if (typeof id !== 'string') throw new Problem(422, 'Payment invalid', 'order_id is the id of an order.')
      if (method !== 'card' && method !== 'transfer')
        throw new Problem(422, 'Payment invalid', 'method is card or transfer.')
      const order = find(id)
      if (order.status !== 'open')
        throw new Problem(409, 'Order not open', `Order ${id} is ${order.status} and cannot be paid.`)
      if (amount !== order.total)
        throw new Problem(422, 'Amount wrong', `Order ${id} costs ${order.total} cents.`)
      const payment: Payment = {
        id: `pay-${nextPayment++}`,
        order_id: id,
        amount: order.total,
        currency: 'EUR',
        method,
        status: 'captured',
        created_at: new Date().toISOString(),
      }
      order.status = 'paid'
      payments.set(payment.id, payment)
      if (payments.size > ORDERS_MAX) payments.delete(payments.keys().next().value!)
      return payment
    },
    payment(id: string): Payment {
      const payment = payments.get(id)
      if (payment === undefined)
        throw new Problem(404, 'Payment not found', `There is no payment ${id.slice(0, 40)}.`)
      return payment
    },
  }
}

export type Shop = ReturnType<typeof createShop>

function toItem(value: unknown): Item {
  const { sku, quantity, unit_price: price } = (value ?? {}) as Partial<Record<string, unknown>>
  if (typeof sku !== 'string' || sku === '' || sku.length > 40)
    throw new Problem(422, 'Order invalid', 'sku has 1 to 40 characters.')
  if (!Number.isInteger(quantity) || Number(quantity) < 1 || Number(quantity) > 1000)
    throw new Problem(422, 'Order invalid', 'quantity is a whole number from 1 to 1000.')
  if (!Number.isInteger(price) || Number(price) < 0 || Number(price) > 10_000_000)
    throw new Problem(422, 'Order invalid', 'unit_price is in cents, at most 10000000.')
  return { sku, quantity: Number(quantity), unit_price: Number(price) }
}
