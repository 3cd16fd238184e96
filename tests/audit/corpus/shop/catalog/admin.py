from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html

from .models import Cart, Product


@admin.register(Product)
class ProductAdmin(admin.ModelAdmin):
    list_display = ("sku", "slug", "change_link")

    def change_link(self, obj):
        url = reverse("admin:catalog_product_change", args=[obj.pk])  #! none: escaped
        return format_html('<a href="{}">{}</a>', url, obj.sku)

    def shop_link(self, product_id):
        return "https://shop.example.com/p/" + product_id  #! reader

    def get_search_results(self, request, queryset, search_term):
        if len(search_term) < 3:  #! none: a search text
            return queryset.none(), False
        return super().get_search_results(request, queryset, search_term)


@admin.register(Cart)
class CartAdmin(admin.ModelAdmin):
    list_display = ("cart_id", "day")

    def day(self, cart):
        return cart.cart_id.split("-")[1]  #! reader
