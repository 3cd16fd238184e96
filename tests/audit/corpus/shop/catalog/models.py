"""Products, vouchers and carts."""

import uuid
from functools import partial

from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.utils import timezone
from django.utils.crypto import get_random_string


def make_sku():
    return "SKU-" + get_random_string(8).upper()  #! strong-source hand-made


def voucher_code():
    return str(uuid.uuid4())[:8].upper()  #! direct-uuid truncated


def image_path(instance, filename):
    extension = filename.split(".")[-1]  #! none: a file name
    return f"products/{uuid.uuid4().hex}.{extension}"  #! direct-uuid ~hand-made


class Product(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)  #! direct-uuid
    sku = models.CharField(max_length=16, unique=True, default=make_sku)
    slug = models.SlugField(unique=True)
    image = models.ImageField(upload_to=image_path)
    created_at = models.DateTimeField(default=timezone.now)  #! none: a time

    class Meta:
        ordering = ["-created_at"]

    def __str__(self):
        return f"{self.sku} ({self.slug})"  #! none: a text for people


class Variant(models.Model):
    id = models.UUIDField(primary_key=True, db_default=RandomUUID())  #! direct-uuid
    product = models.ForeignKey(Product, on_delete=models.CASCADE)
    position = models.PositiveIntegerField(default=0)


class Voucher(models.Model):
    code = models.CharField(max_length=8, unique=True, default=voucher_code)
    voucher_id = models.CharField(max_length=12, unique=True, default=partial(get_random_string, 12))  #! strong-source
    secret = models.CharField(max_length=64, default=partial(get_random_string, 64))  #! none: secret


class Cart(models.Model):
    cart_id = models.CharField(max_length=40, unique=True, blank=True)
    guest_id = models.CharField(max_length=32, default="")

    def save(self, *args, **kwargs):
        if not self.cart_id:
            self.cart_id = f"cart-{timezone.now():%Y%m%d}-{get_random_string(6)}"  #! strong-source hand-made
        if not self.guest_id:
            self.guest_id = uuid.uuid4().hex  #! direct-uuid
        super().save(*args, **kwargs)

    def short_guest(self):
        return self.guest_id[:8]  #! reader ~truncated
