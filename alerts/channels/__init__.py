"""Ways to reach people: mail, a Telegram bot, a webhook, and other services through Apprise."""
