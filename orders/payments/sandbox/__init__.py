"""A stand-in payment provider: a separate process that speaks Stripe's wire protocol for payments and refunds.

It imports nothing of the shop and keeps its own books in SQLite, so that what the provider believes can be
compared with what the shop believes. No real card ever works here, only Stripe's test payment methods. What happens
is told by signed webhooks, and what can go wrong on the way does so on demand, or by chance (`faults`).
"""
